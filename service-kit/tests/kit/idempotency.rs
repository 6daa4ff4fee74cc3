//! Calls that people make, made again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use service_kit::clock::ManualClock;
use service_kit::db::{Db, Migration, Tx};
use service_kit::idempotency::{Call, Idempotency};
use service_kit::refusal::{self, Fault, Refusal};
use tonic::Code;
use uuid::Uuid;

static IDEMPOTENCY: &Idempotency = &service_kit::idempotency!("test");

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "idempotency",
    sql: "create table test_idempotency (request_id uuid not null primary key, method text not null, \
          request_hash bytea not null, response bytea not null, create_time bigint not null);",
}];

/// Counts the runs of the work; each answers with its number.
struct World {
    db: Db,
    runs: Arc<AtomicI64>,
}

impl World {
    async fn new() -> Self {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(5))).unwrap();
        db.migrate("test", TABLES).await.unwrap();
        Self { db, runs: Arc::default() }
    }

    async fn call(&self, method: &'static str, id: Option<u128>, request: &str) -> Result<i64, Fault> {
        let call = Call::new(method, id.map(Uuid::from_u128), &request.to_owned());
        let runs = self.runs.clone();
        let work = async move |_: &mut Tx<'_>| match runs.fetch_add(1, Ordering::SeqCst) + 1 {
            3 => Err(Refusal::precondition("POINTS_SHORT", "no").into()),
            run => Ok(run),
        };
        self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, work).await).await
    }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_without_an_id_every_call_is_a_new_one() {
    let world = World::new().await;
    assert_eq!(world.call("Hold", Some(1), "seat A").await.unwrap(), 1);
    assert_eq!(world.call("Hold", Some(1), "seat A").await.unwrap(), 1);
    assert_eq!(world.call("Hold", None, "seat A").await.unwrap(), 2);
    assert!(world.call("Hold", None, "seat A").await.is_err());
    assert_eq!(world.call("Hold", None, "seat A").await.unwrap(), 4);
}

#[tokio::test]
async fn an_id_stands_for_one_request_of_one_method() {
    let world = World::new().await;
    world.call("Hold", Some(1), "seat A").await.unwrap();
    for (method, request) in [("Hold", "seat B"), ("Release", "seat A")] {
        let status = world.call(method, Some(1), request).await.unwrap_err().into_status("ticketing.test.v1");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(refusal::reason(&status).as_deref(), Some("REQUEST_ID_REUSED"));
    }
    assert_eq!(world.runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_refusal_is_not_kept_so_that_the_same_id_may_be_tried_again() {
    let world = World::new().await;
    world.runs.store(2, Ordering::SeqCst);
    assert!(matches!(world.call("Hold", Some(1), "seat A").await, Err(Fault::Refused(_))));
    assert_eq!(world.call("Hold", Some(1), "seat A").await.unwrap(), 4);
}
