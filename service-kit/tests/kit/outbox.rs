//! Events: kept with what they tell of, in order, until they are published and for a while after.

use std::sync::Arc;

use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration, Tx};
use service_kit::ids::Ids;
use service_kit::outbox::{Batch, Draft, Event, Outbox};
use uuid::Uuid;

static OUTBOX: &Outbox = &service_kit::outbox!("test");

const TABLES: &[Migration] = &[Migration {
    version: 1,
    name: "outbox",
    sql: "create table test_outbox (bucket bigint not null, id uuid not null, aggregate text not null, \
          type text not null, saga_id uuid, data bytea not null, create_time bigint not null, partition_key text not null, version bigint not null, publish_time bigint, \
          primary key (bucket, id));",
}];

async fn open(clock: &Arc<ManualClock>) -> Db {
    let db = testbed::db(clock.clone()).await;
    db.migrate("test", TABLES).await.unwrap();
    db
}

/// An event as it is read back; those of even times are a saga's.
fn event(db: &Db, ids: &Ids, create_time: i64) -> Event {
    let saga = (create_time % 2 == 0).then(|| Uuid::from_u128(7));
    Event {
        bucket: saga.map_or(0, |saga| service_kit::ids::bucket(saga) % db.buckets()),
        id: ids.next(create_time),
        aggregate: "reservations/1".into(),
        kind: "ticketing.reservation.confirmed.v1".into(),
        saga,
        data: vec![1, 2],
        create_time,
        partition: "reservations/1".into(),
        version: create_time,
    }
}

async fn put(db: &Db, event: &Event) {
    let event = event.clone();
    db.write(async move |tx| OUTBOX.put(tx, &event).await).await.unwrap();
}

async fn take(db: &Db, limit: i64) -> Vec<Event> {
    db.read(async move |tx| OUTBOX.take(tx, limit).await).await.unwrap()
}

async fn done(db: &Db, event: &Event) {
    let event = event.clone();
    db.write(async move |tx| OUTBOX.done(tx, &[event]).await).await.unwrap();
}

#[tokio::test]
async fn events_are_taken_in_the_order_of_what_they_tell_of_and_only_until_they_are_published() {
    let clock = Arc::new(ManualClock::at(100));
    let (db, ids) = (open(&clock).await, Ids::seeded(1));
    // Many of one millisecond, which their ids tell apart.
    let events: Vec<Event> = [5, 6, 6, 6, 6, 6, 6, 7, 9].map(|time| event(&db, &ids, time)).into();
    for event in events.iter().rev() {
        put(&db, event).await;
    }
    assert_eq!(take(&db, 100).await, events);
    assert_eq!(take(&db, 2).await, events[..2]);
    done(&db, &events[0]).await;
    done(&db, &events[2]).await;
    let left: Vec<&Event> = events[1..2].iter().chain(&events[3..]).collect();
    assert_eq!(take(&db, 100).await.iter().collect::<Vec<_>>(), left);
}

#[tokio::test]
async fn an_event_shares_the_fate_of_its_transaction() {
    let clock = Arc::new(ManualClock::at(100));
    let db = open(&clock).await;
    let lost = event(&db, &Ids::seeded(1), 5);
    let failing = async move |tx: &mut Tx<'_>| -> Result<(), Error> {
        OUTBOX.put(tx, &lost).await?;
        Err(Error::Bug("refused".into()))
    };
    assert!(db.write(failing).await.is_err());
    assert!(take(&db, 100).await.is_empty());
}

#[tokio::test]
async fn only_what_came_about_before_a_time_and_is_published_is_forgotten_a_few_at_once() {
    let clock = Arc::new(ManualClock::at(100));
    let (db, ids) = (open(&clock).await, Ids::seeded(1));
    let events = [5, 7, 9, 11].map(|time| event(&db, &ids, time));
    for event in &events {
        put(&db, event).await;
    }
    for event in [&events[0], &events[2], &events[3]] {
        done(&db, event).await;
    }
    let purge = async |bucket: i64, before: i64, limit: i64| {
        db.write(async move |tx| OUTBOX.purge(tx, bucket, before, limit).await).await.unwrap()
    };
    assert_eq!(purge(0, 5, 100).await, 0);
    assert_eq!(purge(4, 100, 100).await, 0);
    assert_eq!(purge(0, 11, 1).await, 1);
    assert_eq!(purge(0, 11, 100).await, 1);
    assert_eq!(purge(0, 11, 100).await, 0);
    assert_eq!(purge(0, 12, 100).await, 1);
    assert_eq!(take(&db, 100).await, events[1..2]);
}

#[tokio::test]
async fn whoever_waits_hears_of_what_was_committed_and_of_nothing_else() {
    let clock = Arc::new(ManualClock::at(100));
    let (db, ids) = (open(&clock).await, Ids::seeded(1));
    let mut announced = db.announcements();
    let lost = event(&db, &ids, 5);
    let failing = async move |tx: &mut Tx<'_>| -> Result<(), Error> {
        OUTBOX.put(tx, &lost).await?;
        Err(Error::Bug("refused".into()))
    };
    assert!(db.write(failing).await.is_err());
    take(&db, 1).await;
    assert!(!announced.has_changed().unwrap());
    put(&db, &event(&db, &ids, 6)).await;
    announced.changed().await.unwrap();
    assert!(!announced.has_changed().unwrap());
}

#[tokio::test]
async fn whoever_waits_hears_of_an_event_that_travels_with_other_statements() {
    let clock = Arc::new(ManualClock::at(100));
    let db = open(&clock).await;
    let mut announced = db.announcements();
    let travelling = async |tx: &mut Tx<'_>| -> Result<(), Error> {
        let aggregate = "reservations/a".to_owned();
        let (partition, data) = (aggregate.clone(), Vec::new());
        let kind = "ticketing.reservation.held.v1";
        let event = OUTBOX.event(tx, Draft { kind, aggregate, version: 1, partition, saga: None, data });
        tx.execute_each(&[OUTBOX.insertion(event.bucket, &event)]).await.map(drop)
    };
    db.write(travelling).await.unwrap();
    announced.changed().await.unwrap();
}

#[tokio::test]
async fn the_next_events_of_an_aggregate_are_those_with_the_lowest_versions() {
    let clock = Arc::new(ManualClock::at(100));
    let (db, ids) = (open(&clock).await, Ids::seeded(1));
    // Its ages run against its versions.
    let events: Vec<Event> = (1..=9).map(|age| Event { version: 10 - age, ..event(&db, &ids, age) }).collect();
    for event in &events {
        put(&db, event).await;
    }
    let next = async |limit: i64| db.read(async move |tx| OUTBOX.next(tx, limit).await).await.unwrap();
    let versions = |batch: &Batch| batch.events.iter().map(|event| event.version).collect::<Vec<_>>();
    let some = next(4).await;
    assert_eq!((versions(&some), some.more), (vec![1, 2, 3, 4], true));
    let all = next(100).await;
    assert_eq!((versions(&all), all.more), ((1..=9).collect(), false));
}
