//! The workers themselves, on the real clock: they find what is due, ease off during an outage, and end when asked to.

use std::sync::Arc;
use std::time::Duration;

use outside::messenger::Behaviour;
use outside::mood::Mood;
use service_kit::clock::ManualClock;

use crate::stage::{START_MS, Stage, reservation, sold};

const PHONE: &str = "+821012345678";

/// Waits for something that the workers bring about.
async fn comes(what: impl Fn() -> bool) {
    let waits = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.unwrap();
}

#[tokio::test]
async fn workers_bring_everything_out_through_an_outage_and_end_when_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(START_MS));
    let db = testbed::threaded(dir.path(), clock.clone()).await;
    let stage = Stage::over(db, clock, |config| config.messenger.concurrency = 4).await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(Behaviour { mood: Mood { down: true, ..Mood::default() }, ..Behaviour::default() });
    let events: Vec<_> = (1..=30).map(|number| sold(number, kim)).collect();
    stage.take(&events).await;
    stage.deliveries.spawn(&stage.host);
    comes(|| stage.platform.books().events.len() == 30).await;
    stage.messenger.set(Behaviour::default());
    comes(|| {
        stage.clock.advance(5);
        stage.told().len() == 30
    })
    .await;
    assert_eq!(stage.told(), (1..=30).map(|number| (reservation(number), 1)).collect());
    stage.host.shut_down().await;
    stage.expect_sound().await;
}
