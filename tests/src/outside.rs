//! Who is told outside: a provider of messages and a data platform, and the way of events to them.

use std::sync::Arc;
use std::time::Duration;

use outside::listen::Listening;
use outside::messenger::{self, Messenger};
use outside::platform::{self, Platform};
use service_kit::clock::Clock;
use service_kit::db::{Error, Tx};

use crate::World;

/// What is left to chance follows from it.
const SEED: u64 = 7;
/// Rounds after which whatever is still under way is stuck.
const MOST_ROUNDS: usize = 600;
/// Events that nobody has published, and deliveries that have not ended.
const UNDER_WAY: &str = "select (select count(*) from concert_outbox where publish_time is null) \
    + (select count(*) from customer_outbox where publish_time is null) \
    + (select count(*) from payment_outbox where publish_time is null) \
    + (select count(*) from token_outbox where publish_time is null) \
    + (select count(*) from orchestrator_outbox where publish_time is null) \
    + (select count(*) from payment_deliveries where end_time is null)";

/// Both of them, as they listen.
#[derive(Debug)]
pub struct Told {
    messenger: Listening,
    platform: Listening,
}

impl Told {
    /// Starts them; messages arrive as `clock` goes.
    pub(crate) async fn start(clock: Arc<dyn Clock>) -> Self {
        let messenger = Messenger::new(messenger::Behaviour::default(), SEED, clock);
        let platform = Platform::new(platform::Behaviour::default(), SEED);
        Self {
            messenger: messenger.listen("127.0.0.1:0").await.expect("a port is free"),
            platform: platform.listen("127.0.0.1:0").await.expect("a port is free"),
        }
    }

    pub(crate) fn messenger(&self) -> String {
        self.messenger.url()
    }

    pub(crate) fn platform(&self) -> String {
        self.platform.url()
    }
}

impl World {
    /// Relays all events to the deliveries of this world from now on, and waits until each of them has arrived.
    #[expect(clippy::panic, reason = "a story without an end fails")]
    pub async fn publish(&self) {
        let settings = events::Settings::default();
        let sinks = events::sinks(&settings, &[self.deliveries().handler()]).expect("the settings fit");
        for outbox in [
            &orchestrator::OUTBOX,
            &concert_svc::OUTBOX,
            &customer_svc::OUTBOX,
            &payment_svc::OUTBOX,
            &token_svc::OUTBOX,
        ] {
            events::relay(self.host(), (&self.db, outbox), &sinks, &settings).await.expect("the tables are made");
        }
        for _ in 0..MOST_ROUNDS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.deliveries().round().await.expect("deliveries can be claimed");
            let left = self.db.read(async |tx: &mut Tx<'_>| tx.fetch_one::<(i64,)>(UNDER_WAY, &[]).await);
            let left: Result<_, Error> = left.await;
            if left.expect("the books can be read") == (0,) {
                return;
            }
        }
        panic!("some event is still under way");
    }
}
