//! What the server refuses: transactions that it takes back, statements that fail, connections that it has no room for.

use std::sync::Arc;
use std::time::Duration;

use service_kit::args;
use service_kit::db::{Db, Error, Postgres, Tx};
use testbed::postgres::{DATABASE, Options, Server};
use tokio::sync::Semaphore;

use crate::bed::{Ledger, insert, notes, open, put, put_at_last, start, terminate_all};

/// Fails with this state until it was called so often; no roll-back takes back that it was called.
fn fail_with(server: &Server, sqlstate: &str, times: i64) {
    let create = format!(
        "drop sequence if exists test.calls; create sequence test.calls; grant all on test.calls to skald; \
         create or replace function test.fail() returns bigint language plpgsql as $$ begin \
            if nextval('test.calls') <= {times} then raise exception 'as asked' using errcode = '{sqlstate}'; end if; \
            return 1; end $$"
    );
    server.execute(&create).unwrap();
}

fn calls(server: &Server) -> i64 {
    server.execute("select case when is_called then last_value else 0 end from test.calls").unwrap().parse().unwrap()
}

async fn put_and_fail(db: &Db, id: i64) -> Result<(), Error> {
    db.write(async move |tx: &mut Tx<'_>| {
        insert(tx, id).await?;
        tx.fetch_one::<(i64,)>("select test.fail()", &[]).await?;
        insert(tx, id + 1).await
    })
    .await
}

#[tokio::test]
async fn what_was_taken_back_through_no_fault_of_its_own_runs_again_and_has_one_effect() {
    let (server, db) = start().await;
    // Serialization, deadlock, a lock that is not to be had, a statement that was ended, a server that takes no writes
    // any more, one that shuts down, a connection that failed, a plan that has become invalid.
    let states = ["40001", "40P01", "55P03", "57014", "25006", "57P01", "08006", "0A000"];
    let mut expected = Vec::new();
    for (number, sqlstate) in (0..).zip(states) {
        fail_with(&server, sqlstate, 2);
        put_and_fail(&db, number * 10).await.unwrap_or_else(|error| panic!("{sqlstate}: {error}"));
        assert_eq!(calls(&server), 3, "{sqlstate}");
        expected.extend([number * 10, number * 10 + 1]);
    }
    assert_eq!(notes(&server), expected);
}

#[tokio::test]
async fn what_is_taken_back_again_and_again_is_given_up_for_certain() {
    let (server, db) = start().await;
    for sqlstate in ["40001", "40P01", "25006", "57P01"] {
        fail_with(&server, sqlstate, 1_000);
        let answer = put_and_fail(&db, 1).await;
        assert!(matches!(answer, Err(Error::Unavailable(_))), "{sqlstate}: {answer:?}");
        let calls = calls(&server);
        assert!((2..10).contains(&calls), "{sqlstate}: {calls}");
    }
    assert!(notes(&server).is_empty());
}

#[tokio::test]
async fn what_would_fail_again_is_not_tried_again() {
    let (server, db) = start().await;
    // A key, a check; out of memory, out of disk; a division by zero, a table that is not there.
    let constraint: fn(&Error) -> bool = |error| matches!(error, Error::Constraint(_));
    let unavailable: fn(&Error) -> bool = |error| matches!(error, Error::Unavailable(_));
    let bug: fn(&Error) -> bool = |error| matches!(error, Error::Bug(_));
    let states = [
        ("23505", constraint),
        ("23514", constraint),
        ("53200", unavailable),
        ("53100", unavailable),
        ("22012", bug),
        ("42P01", bug),
    ];
    for (sqlstate, expected) in states {
        fail_with(&server, sqlstate, 1);
        let error = put_and_fail(&db, 1).await.unwrap_err();
        assert!(expected(&error) && error.to_string().contains(sqlstate), "{sqlstate}: {error:?}");
        assert_eq!(calls(&server), 1, "{sqlstate}");
    }
    assert!(notes(&server).is_empty());
    put(&db, 7).await.unwrap();
    assert_eq!(notes(&server), [7]);
}

#[tokio::test]
async fn two_that_lock_each_other_out_both_get_through() {
    for (deadlock_timeout, ended_by) in [("10ms", "deadlock detected"), ("10s", "lock timeout")] {
        let options = Options { fsync: true, ..Options::default() };
        let server = Server::start(options.with("deadlock_timeout", deadlock_timeout)).unwrap();
        // Two pools, so that the two cannot share a transaction.
        let (db, other) = (open(server.url(DATABASE)).await, open(server.url(DATABASE)).await);
        put(&db, 1).await.unwrap();
        put(&db, 2).await.unwrap();
        tokio::join!(insist(&db, [1, 2]), insist(&other, [2, 1]));
        assert_eq!(notes(&server), [21, 22]);
        let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
        assert!(log.contains(ended_by), "they have not met: {log}");
    }
}

/// Raises both notes, and asks again when it is told that others were in the way: one that is turned away has changed
/// nothing. Who holds his locks for as long as these do may be turned away a few times.
async fn insist(db: &Db, ids: [i64; 2]) {
    for _ in 0..20 {
        match raise(db, ids).await {
            Ok(()) => return,
            Err(error) => assert!(matches!(error, Error::Unavailable(_)), "{error}"),
        }
    }
    panic!("{ids:?} does not get through");
}

/// Raises one note and then, when another has had time to do likewise, the other.
async fn raise(db: &Db, ids: [i64; 2]) -> Result<(), Error> {
    db.write(async move |tx: &mut Tx<'_>| {
        for id in ids {
            let raised = tx.execute("update note set id = id + 10 where id % 10 = $1", args![id]).await?;
            assert_eq!(raised, 1);
            tx.fetch_one::<(i64,)>("select 1::int8 from pg_sleep(0.3)", &[]).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_a_free_connection_callers_are_told_so_at_once_until_there_is_one() {
    let (server, db) = start().await;
    put(&db, 1).await.unwrap();
    server.execute("alter role skald connection limit 0").unwrap();
    // Those that stand go on.
    put(&db, 2).await.unwrap();
    terminate_all(&server);
    for id in 3..6 {
        let told = tokio::time::timeout(Duration::from_secs(20), put(&db, id)).await.unwrap();
        let Err(Error::Unavailable(text)) = told else { panic!("{told:?}") };
        assert!(text.contains("53300"), "{text}");
    }
    let refused = Db::connect(&crate::bed::options(server.url(DATABASE))).await.unwrap_err();
    assert!(refused.to_string().contains("53300"), "{refused}");
    server.execute("alter role skald connection limit 1").unwrap();
    put_at_last(&db, 6).await;
    assert_eq!(notes(&server), [1, 2, 6]);
}

#[tokio::test]
async fn connections_that_were_cut_while_idle_cost_nobody_an_error() {
    let (server, db) = start().await;
    let mut cut = 0;
    for id in 0..20 {
        cut += terminate_all(&server);
        put(&db, id).await.unwrap();
        let read: Result<(i64,), Error> =
            db.read(async |tx| tx.fetch_one("select count(*) from note", &[]).await).await;
        assert_eq!(read.unwrap().0, id + 1);
    }
    assert!(cut >= 20, "{cut}");
    assert_eq!(notes(&server), (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_cut_in_mid_work_have_no_effect_or_one() {
    let (server, db) = start().await;
    let ledger = Ledger::default();
    let write = async |id: i64| {
        let slowly = async move |tx: &mut Tx<'_>| {
            insert(tx, id).await?;
            tx.fetch_one::<(i64,)>("select 1::int8 from pg_sleep(0.2)", &[]).await.map(drop)
        };
        ledger.note(id, db.write(slowly).await);
    };
    let cut = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert!(terminate_all(&server) > 0);
        }
    };
    tokio::join!(cut, write(1), write(2), write(3), write(4));
    ledger.check(&server);
    let (done, ..) = ledger.told();
    assert!(done > 0, "{ledger:?}");
}

#[tokio::test]
async fn nobody_is_told_done_when_a_savepoint_fails_in_the_middle_of_a_batch() {
    let server = crate::bed::server();
    // One that writes.
    let options = Postgres { connections: 2, ..crate::bed::options(server.url(DATABASE)) };
    let db = Db::connect(&options).await.unwrap();
    db.migrate("test", crate::bed::TABLES).await.unwrap();
    let mut expected = Vec::new();
    // The failure is looked at by the next unit of work, by a restart, by the commit.
    for (round, restarts) in (0..).zip([1, 61, 62, 63, 64, 200]) {
        let ids = [round * 10 + 1, round * 10 + 3];
        let (busy, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let hold = db.write({
            let (busy, go) = (busy.clone(), go.clone());
            async move |_: &mut Tx<'_>| {
                busy.add_permits(1);
                drop(go.acquire().await);
                Ok::<_, Error>(())
            }
        });
        // Stands in for whatever makes a release or a roll-back fail.
        let breaks = db.write(async move |tx: &mut Tx<'_>| {
            tx.execute("release savepoint job", &[]).await?;
            for _ in 0..restarts {
                tx.restart().await?;
            }
            Err::<(), _>(Error::Bug("refused".into()))
        });
        let share = async {
            drop(busy.acquire().await);
            tokio::join!(put(&db, ids[0]), breaks, put(&db, ids[1]), async { go.add_permits(1) })
        };
        let (held, (first, broken, last, ())) = tokio::join!(hold, share);
        held.and(first).and(last).unwrap();
        assert!(broken.is_err(), "{restarts}");
        expected.extend(ids);
        assert_eq!(notes(&server), expected, "{restarts}");
    }
}

/// What happens when a note is committed.
fn at_commit(server: &Server, body: &str) {
    let create = format!(
        "create or replace function test.late() returns trigger language plpgsql as $$ begin {body}; return null; end $$; \
         drop trigger if exists late on test.note; create constraint trigger late after insert on test.note \
         deferrable initially deferred for each row execute function test.late()"
    );
    server.execute(&create).unwrap();
}

#[tokio::test]
async fn only_a_commit_that_failed_for_a_known_reason_was_taken_back_for_certain() {
    let (server, db) = start().await;
    let certain = ["23505", "40001", "40P01", "55P03", "57014", "25006"];
    let unknown = ["40003", "53100", "58030", "XX000", "08006", "0A000"];
    for (sqlstate, is_certain) in
        certain.map(|state| (state, true)).into_iter().chain(unknown.map(|state| (state, false)))
    {
        at_commit(&server, &format!("raise exception 'as asked' using errcode = '{sqlstate}'"));
        let told = put(&db, 1).await.unwrap_err();
        assert!(told.to_string().contains(sqlstate), "{told}");
        assert_eq!(matches!(told, Error::InDoubt(_)), !is_certain, "{sqlstate}: {told}");
    }
    assert!(notes(&server).is_empty());
}

#[tokio::test]
async fn a_commit_that_takes_too_long_is_in_doubt_and_its_connection_is_given_up() {
    let (server, db) = start().await;
    at_commit(&server, "if new.id = 1 then perform pg_sleep(12); end if");
    let told = tokio::time::timeout(Duration::from_secs(11), put(&db, 1)).await.expect("nobody waits for ever");
    assert!(matches!(told, Err(Error::InDoubt(_))), "{told:?}");
    put(&db, 2).await.unwrap();
}

#[tokio::test]
async fn a_statement_whose_error_nobody_has_seen_keeps_nothing() {
    let (server, db) = start().await;
    let told = db.write(async |tx: &mut Tx<'_>| {
        insert(tx, 1).await?;
        // Its caller loses patience, and takes no notice.
        let slow = tx.fetch_one::<(i64,)>("select 1 / length(cast(pg_sleep(0.2) as text))::int8", &[]);
        drop(tokio::time::timeout(Duration::from_millis(50), slow).await);
        Ok::<_, Error>(())
    });
    let told = told.await;
    assert!(told.is_err() && notes(&server).is_empty(), "{told:?}");
    put(&db, 2).await.unwrap();
    assert_eq!(notes(&server), [2]);
}
