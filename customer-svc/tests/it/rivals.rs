//! Many at once on one account, on the database as it runs in production: a file and a writer's thread.

use std::sync::Arc;

use service_kit::clock::ManualClock;
use tokio::task::JoinSet;

use crate::harness::{Service, refused};

async fn on_disk(directory: &tempfile::TempDir) -> Service {
    let clock = Arc::new(ManualClock::at(1_000));
    Service::over(testbed::threaded(directory.path(), clock.clone()).await, clock).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rivals_never_overdraw() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = on_disk(&directory).await;
    let customer = service.customer(1_000).await;

    let mut rivals = JoinSet::new();
    for saga in 1..=200 {
        let (mut service, customer) = (service.clone(), customer.clone());
        rivals.spawn(async move { service.reserve(&customer, saga, 30).await });
    }
    let answers = rivals.join_all().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 33);
    assert!(lost.into_iter().all(|answer| refused(answer) == "INSUFFICIENT_POINTS"));
    assert_eq!(service.account(&customer).await, (1_000, 990));
    service.expect_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_step_that_races_its_duplicates_and_compensations_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = on_disk(&directory).await;
    let customer = service.customer(1_000).await;

    let mut race = JoinSet::new();
    for message in 0..160 {
        let (mut service, customer) = (service.clone(), customer.clone());
        race.spawn(async move {
            let saga = message / 4 + 1;
            if message % 2 == 0 {
                service.reserve(&customer, saga, 10).await.is_ok()
            } else {
                service.release(&customer, saga).await.is_ok()
            }
        });
    }
    race.join_all().await;
    assert_eq!(service.account(&customer).await, (1_000, 0));
    service.expect_sound().await;
}
