//! Messages that find a customer whom another process is just changing; on PostgreSQL, the engine where they can.

use std::sync::Arc;
use std::time::Duration;

use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{Error, Tx};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Service, fact, refused};

async fn start() -> Service {
    let clock = Arc::new(ManualClock::at(1_000));
    Service::over(testbed::connected(clock.clone()).await, clock).await
}

/// A change of all customers that is not committed before it is let go.
struct Change {
    commit: watch::Sender<bool>,
    done: JoinSet<Result<(), Error>>,
}

impl Change {
    async fn begin(service: &Service, sql: &'static str) -> Self {
        let (commit, mut may_commit) = watch::channel(false);
        let (begun, mut has_begun) = watch::channel(false);
        let db = service.db.clone();
        let change = async move |tx: &mut Tx<'_>| {
            tx.execute(sql, args![]).await?;
            begun.send_replace(true);
            may_commit.wait_for(|may| *may).await.unwrap();
            Ok(())
        };
        let mut done = JoinSet::new();
        done.spawn(async move { db.write(change).await });
        has_begun.wait_for(|begun| *begun).await.unwrap();
        Self { commit, done }
    }

    /// Commits once somebody waits for it.
    async fn commit(self, service: &Service) {
        for _ in 0..1_000 {
            if is_waited_for(service).await {
                self.commit.send_replace(true);
                self.done.join_all().await.into_iter().collect::<Result<(), _>>().unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nobody waits for the change");
    }
}

async fn is_waited_for(service: &Service) -> bool {
    const WAITING: &str = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' \
        and application_name = 'skald-' || current_schema()";
    let waiting: Result<(i64,), Error> = service.db.read(async |tx| tx.fetch_one(WAITING, args![]).await).await;
    waiting.unwrap().0 > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn points_that_are_just_being_given_can_be_reserved_or_taken() {
    for is_reserved in [true, false] {
        let service = start().await;
        let customer = service.clone().customer(0).await;
        let change = Change::begin(&service, "update customer_customers set posted = posted + 50").await;
        let mut other = service.clone();
        let take = async {
            match is_reserved {
                true => other.reserve(&customer, 1, 30).await.map(drop),
                false => other.adjust(&customer, -30, 2).await.map(drop),
            }
        };
        let (taken, ()) = tokio::join!(take, change.commit(&service));
        taken.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_tells_of_the_balance_that_it_stands_for() {
    let service = start().await;
    let customer = service.clone().customer(20).await;
    let change = Change::begin(&service, "update customer_customers set posted = posted - 5").await;
    let mut other = service.clone();
    let (answer, ()) = tokio::join!(other.reserve(&customer, 1, 30), change.commit(&service));
    assert_eq!((fact(&answer, "available"), fact(&answer, "shortfall")), ("15".to_owned(), "15".to_owned()));
    assert_eq!(refused(answer), "INSUFFICIENT_POINTS");
}
