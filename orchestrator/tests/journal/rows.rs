//! Rows that something else than the journal has written to.

use orchestrator::journal::{Adopted, Error, Journal as _, LEASE, Orphans, Query, Record, SqlJournal};
use orchestrator::plans::Plans;
use prost::Message as _;
use proto::event::v1::{SagaResumed, SagaSuspended};
use service_kit::args;
use uuid::Uuid;

use crate::bench::{Bench, OTHER, OWNER, id, toggle};

/// Ways to spoil a row, the last ones only where columns take whatever comes.
const SPOIL: [&str; 6] = [
    "update orchestrator_saga set machine = '{\"state\":' where bucket = $1 and id = $2",
    "update orchestrator_saga set machine = '{\"state\":\"flying\",\"deadline_ms\":1,\"steps\":[]}' where bucket = $1 and id = $2",
    "update orchestrator_saga set plan_version = -1 where bucket = $1 and id = $2",
    "update orchestrator_saga set version = 'two' where bucket = $1 and id = $2",
    "update orchestrator_saga set epoch = 'two' where bucket = $1 and id = $2",
    "update orchestrator_saga set request_hash = 'text' where bucket = $1 and id = $2",
];

fn ways_to_spoil() -> &'static [&'static str] {
    match testbed::Engine::named() {
        testbed::Engine::Sqlite => &SPOIL,
        testbed::Engine::Postgres => &SPOIL[..3],
    }
}

async fn run(bench: &Bench, sql: &'static str, id: Uuid) {
    let work = async move |tx: &mut service_kit::db::Tx<'_>| tx.execute(sql, args![tx.bucket(id), id]).await;
    assert_eq!(bench.db().write(work).await.unwrap(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_parked_alone() {
    let bench = Bench::inline().await;
    for number in 0..20 {
        bench.accepted(number).await;
    }
    for (number, sql) in (5..).zip(ways_to_spoil()) {
        run(&bench, sql, id(number)).await;
    }
    bench.succeed(OTHER).await;
    let mut broken = Vec::new();
    let mut taken = 0;
    loop {
        let adopted = bench.journal.adopt(OTHER, Orphans::Any(3)).await.unwrap();
        if adopted.is_empty() {
            break;
        }
        for adopted in adopted {
            match adopted {
                Adopted::Saga(_) => taken += 1,
                Adopted::Broken { id, problem } => {
                    assert!(problem.contains(&id.to_string()), "{problem}");
                    broken.push(id);
                }
            }
        }
    }
    broken.sort();
    let spoilt = ways_to_spoil().len();
    assert_eq!(broken, (5..).take(spoilt).map(id).collect::<Vec<_>>());
    assert_eq!(taken, 20 - spoilt);
    assert_eq!(bench.owned(OTHER).await.len(), 20 - spoilt);
    assert!(bench.owned(OWNER).await.is_empty());
}

#[tokio::test]
async fn a_broken_saga_is_reported_and_the_others_are_listed() {
    let bench = Bench::threaded().await;
    for number in 0..10 {
        bench.accepted(number).await;
    }
    for number in [3, 5, 6, 7] {
        run(&bench, SPOIL[0], id(number)).await;
    }
    let loaded = bench.journal.load(id(5)).await;
    let Err(Error::Corrupt(problem)) = loaded else { panic!("{loaded:?}") };
    assert!(problem.contains(&id(5).to_string()) && problem.contains("machine"), "{problem}");
    let query = Query { limit: 5, ..Query::default() };
    let listed = bench.journal.list(&query).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|record| record.id).collect();
    assert_eq!(listed, [9, 8, 4, 2, 1].map(id));
}

#[tokio::test]
async fn a_mended_saga_goes_on_where_it_was() {
    let spoil = "update orchestrator_saga set machine = substr(machine, 2) where bucket = $1 and id = $2";
    let mend = "update orchestrator_saga set machine = '{' || machine where bucket = $1 and id = $2";
    let bench = Bench::inline().await;
    let record = bench.accepted(1).await;
    run(&bench, spoil, id(1)).await;
    let adopted = bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
    assert!(matches!(adopted[..], [Adopted::Broken { .. }]), "{adopted:?}");
    let again = bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
    assert_eq!(again, adopted);

    run(&bench, mend, id(1)).await;
    let mended = Record { owner: OTHER, epoch: 2, ..Record::clone(&record) };
    let adopted = bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
    assert_eq!(adopted, [Adopted::Saga(Box::new(mended.clone()))]);
    assert_eq!(bench.owned(OTHER).await, [id(1)]);
    bench.append(toggle(&mended)).await;
}

#[tokio::test]
async fn its_owner_may_go_on_with_a_parked_saga() {
    let bench = Bench::inline().await;
    let record = bench.accepted(1).await;
    run(&bench, SPOIL[0], id(1)).await;
    bench.journal.adopt(OWNER, Orphans::One(id(1))).await.unwrap();
    assert!(bench.owned(OWNER).await.is_empty());
    // What the owner has in memory is whole.
    let second = bench.append(toggle(&record)).await;
    let third = bench.append(toggle(&second)).await;
    assert_eq!(bench.load(id(1)).await, *third);
    bench.succeed(OTHER).await;
    assert_eq!(bench.journal.adopt(OTHER, Orphans::Any(100)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_that_is_parked_and_mended_is_announced_each_time_and_once() {
    let spoil = "update orchestrator_saga set machine = substr(machine, 2) where bucket = $1 and id = $2";
    let mend = "update orchestrator_saga set machine = '{' || machine where bucket = $1 and id = $2";
    let bench = Bench::inline().await;
    bench.accepted(1).await;
    bench.accepted(2).await;
    for _ in 0..3 {
        run(&bench, spoil, id(1)).await;
        for _ in 0..2 {
            bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
        }
        let parked = bench.journal.statistics(i64::MIN).await.unwrap();
        assert_eq!(parked.states["suspended"].count, 1, "nobody can read it, and it is counted");
        assert!(parked.groups.iter().any(|group| group.reason == "ROW_UNREADABLE"));
        run(&bench, mend, id(1)).await;
        for _ in 0..2 {
            bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
        }
    }
    let mut events = bench.events().await;
    assert!(events.iter().all(|event| event.aggregate == format!("sagas/{}", id(1))));
    assert!(events.iter().all(|event| event.saga == Some(id(1))));
    // All at the same time, as the clock stands still: the order is not theirs here.
    let parked = events.extract_if(.., |event| event.kind == "ticketing.saga.suspended.v1");
    let parked: Vec<_> = parked.map(|event| SagaSuspended::decode(event.data.as_slice()).unwrap()).collect();
    assert_eq!(parked.len(), 3);
    let failure = parked[0].failure.as_ref().unwrap();
    assert!(parked[0].kind == "purchase" && failure.message.contains("machine"), "{parked:?}");
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["ticketing.saga.resumed.v1"; 3]);
    let let_go = SagaResumed::decode(events[0].data.as_slice()).unwrap();
    assert_eq!((let_go.state.as_str(), let_go.actor.as_str()), ("RUNNING", "orchestrator"));
}

#[tokio::test]
async fn a_suspended_row_that_is_mended_still_waits_for_a_person() {
    let spoil = "update orchestrator_saga set machine = substr(machine, 2) where bucket = $1 and id = $2";
    let mend = "update orchestrator_saga set machine = '{' || machine where bucket = $1 and id = $2";
    let bench = Bench::inline().await;
    let record = bench.accepted(1).await;
    bench.append(toggle(&record)).await;
    run(&bench, spoil, id(1)).await;
    bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
    run(&bench, mend, id(1)).await;
    bench.journal.adopt(OTHER, Orphans::One(id(1))).await.unwrap();
    let kinds: Vec<_> = bench.events().await.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["ticketing.saga.suspended.v1"]);
}

#[tokio::test]
async fn a_saga_of_another_builds_plan_is_left_to_who_knows_it() {
    let bench = Bench::inline().await;
    let record = bench.accepted(1).await;
    bench.succeed(OTHER).await;
    let knows_others = SqlJournal::new(bench.db().clone(), LEASE).adopting(&Plans::default());
    assert_eq!(knows_others.adopt(OTHER, Orphans::Any(100)).await.unwrap(), []);
    assert_eq!(bench.load(id(1)).await, *record, "it is nobody's, and waits");
    // What cannot be a version of any build is not waited for.
    run(&bench, SPOIL[2], id(1)).await;
    assert!(matches!(knows_others.adopt(OTHER, Orphans::Any(100)).await.unwrap()[..], [Adopted::Broken { .. }]));
}
