//! SIGTERM: what is under way is handed over to the next start.

use std::time::Duration;

use crate::load::{self, Ledger, Load};
use crate::process::Skald;
use crate::shop::{self, Size};

const SIZE: Size = Size { customers: 20, seats_each: 20, affordable: 17, spare: 0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_stop_under_load_it_ends_in_time_and_the_next_start_goes_on() {
    // With and without time to bring what is open to its end.
    for (drain_ms, in_time) in [(5_000, Duration::from_secs(8)), (0, Duration::from_secs(3))] {
        let dir = tempfile::tempdir().unwrap();
        let drain = format!("orchestrator.drain_ms={drain_ms}");
        let skald = Skald::start(dir.path(), &["--set", &drain]).await;
        let channel = skald.channel().await;
        let ledger = Ledger::new(shop::open(&channel, SIZE).await);
        let load = Load::start(&channel, &ledger);
        load.answers(50).await;
        load.expect_the_worst();
        let (code, took) = skald.terminate().await;
        load.end().await;
        assert_eq!(code, Some(0));
        assert!(took < in_time, "{took:?} with {drain_ms} ms to drain");
        let open = load::open_sagas(dir.path()).await;
        println!("{drain_ms} ms to drain: ended in {} ms, {} sagas open", took.as_millis(), open.len());
        assert!(drain_ms == 0 || open.is_empty(), "there was time enough");

        let skald = Skald::start(dir.path(), &[]).await;
        let channel = skald.channel().await;
        load::resumed(&skald, &channel, open).await;
        Load::start(&channel, &ledger).end().await;
        let accepted = ledger.accepted().clone();
        for checkout in accepted.values() {
            load::ended(&channel, checkout).await;
        }
        assert_eq!(accepted.len(), SIZE.customers * SIZE.seats_each);
    }
}
