//! Calls that people make, made again.

use std::sync::Arc;

use service_kit::args;
use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration, Tx};
use service_kit::idempotency::{Call, Idempotency};
use service_kit::refusal::{self, Fault, Refusal};
use tonic::Code;
use uuid::Uuid;

static IDEMPOTENCY: &Idempotency = &service_kit::idempotency!("test");

const TABLES: &[Migration] = &[
    Migration {
        version: 1,
        name: "idempotency",
        sql: "create table test_idempotency (request_id uuid not null primary key, method text not null, \
              request_hash bytea not null, response bytea not null, create_time bigint not null)",
    },
    Migration {
        version: 2,
        name: "effect",
        sql: "create table test_effect (number bigint not null primary key, seat text not null unique)",
    },
];

struct World {
    db: Db,
}

/// What becomes of a call whose own number is given, after it has written its effect; it answers with that number.
#[derive(Debug, Clone, Copy)]
enum Work {
    Takes(&'static str),
    IsRefused,
}

impl World {
    async fn new() -> Self {
        let db = testbed::db(Arc::new(ManualClock::at(5))).await;
        db.migrate("test", TABLES).await.unwrap();
        Self { db }
    }

    async fn call(&self, call: (&'static str, Option<u128>, &str), number: i64, work: Work) -> Result<i64, Fault> {
        let (method, id, request) = call;
        let call = Call::new(method, id.map(Uuid::from_u128), &request.to_owned());
        let work = async move |tx: &mut Tx<'_>| {
            let seat = if let Work::Takes(seat) = work { seat } else { "Z" };
            tx.execute("insert into test_effect (number, seat) values ($1, $2)", args![number, seat]).await?;
            match work {
                Work::Takes(_) => Ok(number),
                Work::IsRefused => Err(Refusal::precondition("SEAT_TAKEN", "no").into()),
            }
        };
        self.db.write(async move |tx| IDEMPOTENCY.once(tx, &call, work).await).await
    }

    async fn effects(&self) -> Vec<i64> {
        let rows: Result<Vec<(i64,)>, Error> =
            self.db.read(async |tx| tx.fetch_all("select number from test_effect order by number", &[]).await).await;
        rows.unwrap().into_iter().map(|(number,)| number).collect()
    }
}

const HOLD: (&str, Option<u128>, &str) = ("Hold", Some(1), "any seat");

#[tokio::test]
async fn a_repeat_gets_the_first_answer_whatever_its_own_work_came_to() {
    let world = World::new().await;
    assert_eq!(world.call(HOLD, 1, Work::Takes("A")).await.unwrap(), 1);
    for work in [Work::Takes("A"), Work::Takes("B"), Work::IsRefused] {
        assert_eq!(world.call(HOLD, 2, work).await.unwrap(), 1, "{work:?}");
    }
    assert_eq!(world.effects().await, [1]);
}

#[tokio::test]
async fn without_an_id_every_call_is_a_new_one() {
    let world = World::new().await;
    let hold = ("Hold", None, "any seat");
    assert_eq!(world.call(hold, 1, Work::Takes("A")).await.unwrap(), 1);
    assert_eq!(world.call(hold, 2, Work::Takes("B")).await.unwrap(), 2);
    assert!(world.call(hold, 3, Work::IsRefused).await.is_err());
    assert_eq!(world.effects().await, [1, 2]);
}

#[tokio::test]
async fn an_id_stands_for_one_request_of_one_method() {
    let world = World::new().await;
    world.call(HOLD, 1, Work::Takes("A")).await.unwrap();
    for (method, request) in [("Hold", "seat B"), ("Release", "any seat")] {
        for work in [Work::Takes("A"), Work::Takes("B"), Work::IsRefused] {
            let other = world.call((method, Some(1), request), 2, work).await;
            let status = other.unwrap_err().into_status("ticketing.test.v1");
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(refusal::reason(&status).as_deref(), Some("REQUEST_ID_REUSED"));
        }
    }
    assert_eq!(world.effects().await, [1]);
}

#[tokio::test]
async fn a_refusal_is_not_kept_so_that_the_same_id_may_be_tried_again() {
    let world = World::new().await;
    assert!(matches!(world.call(HOLD, 1, Work::IsRefused).await, Err(Fault::Refused(_))));
    assert_eq!(world.call(HOLD, 2, Work::Takes("A")).await.unwrap(), 2);
    assert_eq!(world.effects().await, [2]);
}

#[tokio::test]
async fn a_key_that_another_call_holds_fails_this_one() {
    let world = World::new().await;
    world.call(HOLD, 1, Work::Takes("A")).await.unwrap();
    let other = world.call(("Hold", Some(2), "any seat"), 2, Work::Takes("A")).await;
    assert!(matches!(other, Err(Fault::Store(Error::Constraint(_)))), "{other:?}");
    assert_eq!(world.effects().await, [1]);
}
