//! Answers ahead of the commit: who gets them, what they promise, and what happens when the commit fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use service_kit::db::{Db, Error, Tx};
use tokio_util::task::TaskTracker;

use crate::db::{SOON, Stop, ids, open, put};

async fn note(db: &Db, id: i64) -> Result<(), Error> {
    db.write(async move |tx| put(tx, id).await).await
}

/// A unit of work that keeps its batch open until it is let go.
fn hold_ahead(db: &Db, tasks: &TaskTracker) -> crate::db::Held {
    let (stop, held) = Stop::new();
    let db = db.clone();
    let stopping = async move |_tx: &mut Tx<'_>| {
        stop.here();
        Ok(())
    };
    tasks.spawn(async move { db.ahead(db.write::<(), Error, _>(stopping)).await });
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_ahead_is_answered_before_the_commit_and_whoever_is_not_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let tasks = TaskTracker::new();
    let first = hold_ahead(&db, &tasks);
    first.reached();
    let (one, other) = (db.clone(), db.clone());
    let early = tasks.spawn(async move { one.ahead(note(&one, 1)).await });
    tokio::time::sleep(SOON).await;
    let last = hold_ahead(&db, &tasks);
    tokio::time::sleep(SOON).await;
    let late = tasks.spawn(async move { note(&other, 2).await });
    drop(first);
    last.reached();
    early.await.unwrap().unwrap();
    assert!(ids(&db).await.is_empty(), "nothing is committed yet");
    assert!(!late.is_finished());
    let settling = db.clone();
    let settled = tasks.spawn(async move { settling.settled().await });
    tokio::time::sleep(SOON).await;
    assert!(!settled.is_finished());
    drop(last);
    settled.await.unwrap().unwrap();
    assert!(ids(&db).await.contains(&1));
    late.await.unwrap().unwrap();
    assert_eq!(ids(&db).await, [1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_waits_for_is_committed_soon_and_followed_by_what_was_left_for_then() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let before = db.stats();
    let done = Arc::new(AtomicBool::new(false));
    for id in 0..3 {
        let done = done.clone();
        let unit = async move |tx: &mut Tx<'_>| {
            tx.after_commit(move || done.store(true, Ordering::Relaxed));
            put(tx, id).await
        };
        db.ahead(db.write(unit)).await.unwrap();
    }
    while ids(&db).await.len() < 3 {
        tokio::task::yield_now().await;
    }
    while !done.load(Ordering::Relaxed) {
        tokio::task::yield_now().await;
    }
    assert_eq!(db.stats().units - before.units, 3);
    // Nothing is open any more, so there is nothing to wait for, and no commit for it.
    let commits = db.stats().commits;
    db.settled().await.unwrap();
    assert_eq!(db.stats().commits, commits);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_that_is_refused_leaves_nothing_to_be_done_and_spoils_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let db = open(directory.path()).await;
    let done = Arc::new(AtomicBool::new(false));
    let then = done.clone();
    let refused = async move |tx: &mut Tx<'_>| {
        tx.after_commit(move || then.store(true, Ordering::Relaxed));
        put(tx, 1).await?;
        Err::<(), _>(Error::Bug("refused".into()))
    };
    db.ahead(async {
        note(&db, 0).await.unwrap();
        assert!(matches!(db.write(refused).await, Err(Error::Bug(_))));
        note(&db, 2).await.unwrap();
    })
    .await;
    db.settled().await.unwrap();
    assert_eq!(ids(&db).await, [0, 2]);
    assert!(!done.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_database_that_the_future_is_ahead_of_answers_early() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (db, other) = (open(here.path()).await, open(there.path()).await);
    let before = other.stats();
    db.ahead(note(&other, 1)).await.unwrap();
    assert_eq!(other.stats().commits - before.commits, 1);
    assert!(db.is_one_with(&db.clone()) && !db.is_one_with(&other));
}
