//! Units of work: what each keeps, what it takes back, and when its caller hears of it.

use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Waker};
use std::time::Duration;

use service_kit::args;
use service_kit::clock::{Clock, ManualClock, SystemClock};
use service_kit::db::{Db, Error, Migration, Tx};
use tokio_util::task::TaskTracker;

const NOTES: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    sql: "create table note (id bigint not null primary key, body text); create table other (id bigint);",
}];

/// Long enough for a task to send what it has to send.
pub(crate) const SOON: Duration = Duration::from_millis(50);

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

pub(crate) async fn open(directory: &Path) -> Db {
    let db = Db::open(directory, clock()).unwrap();
    db.migrate("test", NOTES).await.unwrap();
    db
}

pub(crate) async fn put(tx: &mut Tx<'_>, id: i64) -> Result<(), Error> {
    tx.execute("insert into note (id, body) values ($1, $2)", args![id, "text"]).await.map(drop)
}

pub(crate) async fn ids(db: &Db) -> Vec<i64> {
    let rows: Result<Vec<(i64,)>, Error> =
        db.read(async |tx| tx.fetch_all("select id from note order by id", &[]).await).await;
    rows.unwrap().into_iter().map(|(id,)| id).collect()
}

/// Where a unit of work stops until it is let go.
#[derive(Clone)]
pub(crate) struct Stop(Arc<Mutex<Option<Ends>>>);

/// What it says that it was reached by, and what it waits for.
type Ends = (mpsc::Sender<()>, mpsc::Receiver<()>);

/// The test's end of a [`Stop`]; dropping it lets the unit go.
pub(crate) struct Held {
    reaching: mpsc::Receiver<()>,
    _release: mpsc::Sender<()>,
}

impl Stop {
    pub(crate) fn new() -> (Self, Held) {
        let (reached, reaching) = mpsc::channel();
        let (release, held) = mpsc::channel();
        (Self(Arc::new(Mutex::new(Some((reached, held))))), Held { reaching, _release: release })
    }

    pub(crate) fn here(self) {
        let (reached, held) = self.0.lock().unwrap().take().expect("it is reached once");
        drop(reached);
        assert!(held.recv().is_err());
    }
}

impl Held {
    pub(crate) fn reached(&self) {
        tokio::task::block_in_place(|| assert!(self.reaching.recv().is_err()));
    }
}

/// Holds the writer, so that what is sent meanwhile queues up for one commit.
fn hold(db: &Db, tasks: &TaskTracker) -> Held {
    let (stop, held) = Stop::new();
    let db = db.clone();
    let stopping = async move |_tx: &mut Tx<'_>| {
        stop.here();
        Ok(())
    };
    tasks.spawn(async move { db.write::<(), Error, _>(stopping).await });
    held.reached();
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_work_that_fails_takes_back_only_its_own_writes() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let before = db.stats();
    let tasks = TaskTracker::new();
    let writer = hold(&db, &tasks);
    let units: Vec<_> = (0..30)
        .map(|id| {
            let db = db.clone();
            tasks.spawn(async move {
                db.write(async move |tx| {
                    put(tx, id).await?;
                    match id % 3 {
                        0 => Ok(id),
                        1 => Err(Error::Bug("refused".into())),
                        _ => put(tx, id).await.map(|()| id),
                    }
                })
                .await
            })
        })
        .collect();
    tokio::time::sleep(SOON).await;
    drop(writer);
    for (id, unit) in (0..).zip(units) {
        match unit.await.unwrap() {
            Ok(kept) => assert_eq!((kept, id % 3), (id, 0)),
            Err(Error::Bug(text)) => assert_eq!((text.as_str(), id % 3), ("refused", 1)),
            Err(error) => assert!(matches!(error, Error::Constraint(_)) && id % 3 == 2, "{error}"),
        }
    }
    assert_eq!(ids(&db).await, (0..30).step_by(3).collect::<Vec<_>>());
    let stats = db.stats();
    assert_eq!(stats.units - before.units, 31);
    assert!(stats.commits - before.commits <= 3, "they shared commits: {stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_the_commit_that_covers_him() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let tasks = TaskTracker::new();
    let write = |id: i64, stop: Option<Stop>| {
        let db = db.clone();
        let work = async move |tx: &mut Tx<'_>| {
            put(tx, id).await?;
            stop.into_iter().for_each(Stop::here);
            Ok::<_, Error>(())
        };
        tasks.spawn(async move { db.write(work).await })
    };
    let writer = hold(&db, &tasks);
    let first = write(1, None);
    let (stop, held) = Stop::new();
    tokio::time::sleep(SOON).await;
    let second = write(2, Some(stop));
    tokio::time::sleep(SOON).await;
    drop(writer);
    held.reached();
    assert!(!first.is_finished(), "the first has run, its commit has not");
    assert_eq!(ids(&db).await, [0; 0]);
    drop(held);
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(ids(&db).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_the_error_of_its_own_unit_alone() {
    let directory = tempfile::tempdir().unwrap();
    let inline = Db::open_inline(None, clock()).unwrap();
    inline.migrate("test", NOTES).await.unwrap();
    for db in [open(directory.path()).await, inline] {
        let failing = async |tx: &mut Tx<'_>| -> Result<(), Error> {
            put(tx, 1).await?;
            panic!("a bug")
        };
        let (before, failed, after) = tokio::join!(
            db.write(async |tx| put(tx, 0).await),
            db.write(failing),
            db.write(async |tx| put(tx, 2).await)
        );
        before.unwrap();
        after.unwrap();
        assert!(matches!(failed, Err(Error::Bug(_))), "{failed:?}");
        let read = db.read(async |_| -> Result<(), Error> { panic!("a bug") }).await;
        assert!(matches!(read, Err(Error::Bug(_))), "{read:?}");
        assert_eq!(ids(&db).await, [0, 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_waits_for_anything_else_fails_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let waiting = async |tx: &mut Tx<'_>| -> Result<(), Error> {
        put(tx, 1).await?;
        std::future::pending().await
    };
    assert!(matches!(db.write(waiting).await, Err(Error::Bug(_))));
    assert_eq!(ids(&db).await, [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_was_sent_is_done_even_when_nobody_waits_and_the_database_is_closed() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let tasks = TaskTracker::new();
    let writer = hold(&db, &tasks);
    for id in 0..10 {
        let writing = db.write(async move |tx| put(tx, id).await);
        assert!(tokio::time::timeout(Duration::ZERO, writing).await.is_err());
    }
    drop(writer);
    tasks.close();
    tasks.wait().await;
    drop(db);
    let db = open(directory.path()).await;
    assert_eq!(ids(&db).await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_begins_anew_takes_back_its_own_writes_and_no_others() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let restarting = async |tx: &mut Tx<'_>| -> Result<(), Error> {
        put(tx, 1).await?;
        tx.restart().await?;
        put(tx, 2).await
    };
    let (before, restarted, after) = tokio::join!(
        db.write(async |tx| put(tx, 0).await),
        db.write(restarting),
        db.write(async |tx| put(tx, 3).await)
    );
    before.and(restarted).and(after).unwrap();
    assert_eq!(ids(&db).await, [0, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_is_one_snapshot_and_the_next_one_sees_what_was_committed_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    db.write(async |tx| put(tx, 1).await).await.unwrap();
    let (stop, held) = Stop::new();
    let counting = async move |tx: &mut Tx<'_>| -> Result<_, Error> {
        const COUNT: &str = "select count(*) from note";
        let (first,): (i64,) = tx.fetch_one(COUNT, &[]).await?;
        stop.here();
        let (second,): (i64,) = tx.fetch_one(COUNT, &[]).await?;
        Ok((first, second))
    };
    let reading = TaskTracker::new().spawn({
        let db = db.clone();
        async move { db.read(counting).await }
    });
    held.reached();
    for id in 2..50 {
        db.write(async move |tx| put(tx, id).await).await.unwrap();
        assert_eq!(ids(&db).await.last(), Some(&id));
    }
    drop(held);
    assert_eq!(reading.await.unwrap().unwrap(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_cannot_leave_anything_behind() {
    let directory = tempfile::tempdir().unwrap();
    let inline = Db::open_inline(None, clock()).unwrap();
    inline.migrate("test", NOTES).await.unwrap();
    for db in [open(directory.path()).await, inline] {
        drop(db.read(async |tx| put(tx, 1).await).await);
        assert_eq!(ids(&db).await, [0; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_opened_for_reading_follows_the_one_that_writes_and_takes_no_writes() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Db::open_read_only(directory.path(), clock()), Err(Error::Unavailable(_))));
    let db = open(directory.path()).await;
    let beside = Db::open_read_only(directory.path(), clock()).unwrap();
    db.write(async |tx| put(tx, 7).await).await.unwrap();
    assert_eq!(ids(&beside).await, [7]);
    assert!(matches!(beside.write(async |tx| put(tx, 8).await).await, Err(Error::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    for error in [
        Db::open(directory.path(), clock()).unwrap_err(),
        Db::open_inline(Some(directory.path()), clock()).unwrap_err(),
    ] {
        assert!(error.to_string().contains("is in use by another process"), "{error}");
        assert!(error.to_string().contains(directory.path().to_str().unwrap()), "{error}");
    }
    drop(db);
    drop(Db::open_inline(Some(&directory.path().join("a/new/one")), clock()).unwrap());
    drop(open(directory.path()).await);
}

#[tokio::test]
async fn a_migration_is_applied_once_and_an_older_program_keeps_off() {
    const MORE: &[Migration] =
        &[NOTES[0], Migration { version: 2, name: "more", sql: "alter table note add column more text" }];
    const BROKEN: &[Migration] = &[
        NOTES[0],
        MORE[1],
        Migration { version: 3, name: "good", sql: "create table good (id bigint)" },
        Migration { version: 4, name: "broken", sql: "create table good (id bigint)" },
    ];
    let db = Db::open_inline(None, Arc::new(ManualClock::at(5))).unwrap();
    for migrations in [NOTES, NOTES, MORE, MORE] {
        db.migrate("test", migrations).await.unwrap();
    }
    db.migrate("another", &[]).await.unwrap();
    assert!(db.migrate("test", BROKEN).await.is_err());
    let error = db.migrate("test", NOTES).await.unwrap_err();
    assert!(error.to_string().contains("test are at version 2, this program knows 1"), "{error}");
    let applied: Result<Vec<(i64, String, i64)>, Error> =
        db.read(async |tx| tx.fetch_all("select version, name, applied_time from skald_migration", &[]).await).await;
    assert_eq!(applied.unwrap(), [(1, "notes".to_owned(), 5), (2, "more".to_owned(), 5)]);
    let good: Result<u64, Error> = db.write(async |tx| tx.execute("select id from good", &[]).await).await;
    assert!(good.is_err(), "a migration stayed whose successor failed");
}

#[tokio::test]
async fn arguments_stand_where_their_number_says() {
    let db = Db::open_inline(None, clock()).unwrap();
    let read: Result<(String, i64, String), Error> =
        db.read(async |tx| tx.fetch_one("select $2, $1, $2", args![1, "two"]).await).await;
    assert_eq!(read.unwrap(), ("two".to_owned(), 1, "two".to_owned()));
    for given in [1, 3] {
        let read: Result<(i64, i64), Error> =
            db.read(async move |tx| tx.fetch_one("select $1, $2", &args![1, 2, 3][..given]).await).await;
        assert!(matches!(read, Err(Error::Bug(_))), "{read:?}");
    }
}

#[tokio::test]
async fn a_value_of_another_kind_is_reported_with_its_column() {
    let db = Db::open_inline(None, clock()).unwrap();
    let read: Result<(i64, i64), Error> =
        db.read(async |tx| tx.fetch_one("select 1 as good, 'x' as bad", &[]).await).await;
    let Err(Error::Corrupt { column, problem }) = read else { panic!("{read:?}") };
    assert_eq!((column.as_str(), problem.as_str()), ("bad", "it holds text"));
}

#[tokio::test]
async fn expiry_is_judged_by_a_time_that_stands_still_within_a_unit() {
    let clock = Arc::new(ManualClock::at(10));
    let db = Db::open_inline(None, clock.clone()).unwrap();
    let moving = clock.clone();
    let seen = db
        .write(async move |tx| {
            let before = tx.now_ms();
            moving.advance(5);
            Ok::<_, Error>((before, tx.now_ms()))
        })
        .await;
    assert_eq!(seen.unwrap(), (10, 10));
    assert_eq!(db.read(async |tx| Ok::<_, Error>(tx.now_ms())).await.unwrap(), 15);
}

#[tokio::test]
async fn one_task_can_ask_for_any_number_of_things_in_a_row() {
    let db = testbed::db(clock()).await;
    db.migrate("test", NOTES).await.unwrap();
    for id in 0..500 {
        db.write(async move |tx| put(tx, id).await).await.unwrap();
    }
    assert_eq!(ids(&db).await.len(), 500);
}

#[test]
fn the_futures_can_move_between_threads() {
    fn check(_: &impl Send) {}
    let db = Db::open_inline(None, clock()).unwrap();
    check(&db.write(async |tx| put(tx, 1).await));
    check(&db.read(async |tx| put(tx, 1).await));
    check(&db.migrate("test", NOTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_a_unit_of_work_is_counted_also_of_one_that_reads_or_fails() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let before = db.statements();
    let failing = async |tx: &mut Tx<'_>| {
        put(tx, 1).await?;
        put(tx, 2).await?;
        Err::<(), _>(Error::Bug("refused".into()))
    };
    db.write(failing).await.unwrap_err();
    assert_eq!(db.statements() - before, 2);
    ids(&db).await;
    assert_eq!(db.statements() - before, 3);
}

#[tokio::test]
async fn reads_that_their_caller_does_not_look_after_keep_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(ManualClock::at(1))).await;
    let read = || async { db.read(async |tx| Ok::<_, Error>(tx.now_ms())).await };
    // More than may read at once: all are asked for, and none is looked after again. One may be answered at once.
    let mut left: Vec<_> = (0..100).map(|_| Box::pin(read())).collect();
    for left in &mut left {
        let _answered = left.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }
    for _ in 0..20 {
        let answer = tokio::time::timeout(std::time::Duration::from_secs(60), read()).await;
        answer.expect("others hold all places and do nothing").unwrap();
    }
}

#[tokio::test]
async fn writes_that_their_caller_does_not_look_after_keep_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(ManualClock::at(1))).await;
    let (stop, held) = Stop::new();
    let stopping = async move |_tx: &mut Tx<'_>| {
        stop.here();
        Ok(())
    };
    let mut first = Box::pin(db.write::<(), Error, _>(stopping));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert!(held.reaching.recv().is_err(), "the engine has begun");
    // More than may wait, and as many again: all are asked for, and none is looked after again.
    let write = || async { db.write(async |tx: &mut Tx<'_>| Ok::<_, Error>(tx.now_ms())).await };
    let mut left: Vec<_> = (0..10_000).map(|_| Box::pin(write())).collect();
    for left in &mut left {
        assert!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    drop(held);
    for _ in 0..20 {
        let answer = tokio::time::timeout(Duration::from_secs(60), write()).await;
        answer.expect("others hold all places and do nothing").unwrap();
    }
}

#[tokio::test]
async fn a_database_ends_though_somebody_still_waits_for_a_place() {
    let directory = tempfile::tempdir().unwrap();
    let db = testbed::threaded(directory.path(), Arc::new(ManualClock::at(1))).await;
    let write = |db: Db| async move { db.write(async |tx: &mut Tx<'_>| Ok::<_, Error>(tx.now_ms())).await };
    let mut left: Vec<_> = (0..10_000).map(|_| Box::pin(write(db.clone()))).collect();
    for left in &mut left {
        drop(left.as_mut().poll(&mut Context::from_waker(Waker::noop())));
    }
    drop(left);
    drop(db);
    Db::open(directory.path(), clock()).unwrap();
}
