//! Looks at a waiting room twice a second: how far it is, and how many are inside.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use proto::token::v1::GetWaitingRoomRequest;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::client::Client;
use crate::clock;

const PERIOD: Duration = Duration::from_millis(500);

/// What was to be seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Look {
    /// Since the first entrant.
    pub second: f64,
    /// The same on the clock of the machine, when it had been seen.
    #[serde(skip)]
    pub seen: f64,
    /// The last place whose turn has come.
    pub admitted_through: i64,
    /// The last place given out.
    pub issued: i64,
    /// How many are inside.
    pub active: i64,
    /// How many wait.
    pub waiting: i64,
    /// Whether there was nothing left.
    pub sold_out: bool,
}

/// Somebody who looks; stops when dropped.
#[derive(Debug)]
pub(super) struct Looks {
    seen: Arc<Mutex<Vec<Look>>>,
    _looking: JoinSet<()>,
}

impl Looks {
    pub(super) fn begin(client: &Client, room: &str) -> Self {
        let seen = Arc::<Mutex<Vec<Look>>>::default();
        let (client, name, into) = (client.clone(), room.to_owned(), seen.clone());
        let mut looking = JoinSet::new();
        looking.spawn(async move {
            let (started, mut ticks) = (Instant::now(), interval(PERIOD));
            loop {
                ticks.tick().await;
                let Ok(room) = client.rooms().get_waiting_room(GetWaitingRoomRequest { name: name.clone() }).await
                else {
                    continue;
                };
                let room = room.into_inner();
                let seen = clock::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
                into.lock().unwrap_or_else(PoisonError::into_inner).push(Look {
                    second: started.elapsed().as_secs_f64(),
                    seen,
                    admitted_through: room.admitted_through,
                    issued: room.issued_count,
                    active: i64::from(room.active_count),
                    waiting: room.waiting_count,
                    sold_out: room.sold_out_time.is_some(),
                });
            }
        });
        Self { seen, _looking: looking }
    }

    pub(super) fn taken(self) -> Vec<Look> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
