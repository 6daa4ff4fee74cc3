//! A wire that breaks. Before the commit was sent, nothing was done, for certain; after it, nobody can tell.

use service_kit::db::{Db, Error};
use testbed::postgres::{DATABASE, Server};
use testbed::wire::{Cut, Wire};

use crate::bed::{COMMIT, notes, open, put, server};

async fn start() -> (Server, Wire, Db) {
    let server = server();
    let wire = Wire::to(&server.address()).unwrap();
    let db = open(wire.url(DATABASE)).await;
    (server, wire, db)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_in_doubt_whether_or_not_it_happened() {
    let (server, wire, db) = start().await;
    for (cut, expected) in [(Cut::After, vec![1]), (Cut::Before, vec![1])] {
        wire.cut_at(cut, COMMIT, 1);
        let told = put(&db, if cut == Cut::After { 1 } else { 2 }).await;
        assert!(matches!(told, Err(Error::InDoubt(_))), "{cut:?}: {told:?}");
        assert_eq!(notes(&server), expected, "{cut:?}");
    }
    assert_eq!(wire.cuts(), 2);
    put(&db, 3).await.unwrap();
    assert_eq!(notes(&server), [1, 3]);
}

#[tokio::test]
async fn a_wire_that_breaks_before_the_commit_leaves_no_doubt_and_the_work_is_done_again() {
    let (server, wire, db) = start().await;
    for (id, cut) in [(1, Cut::Before), (2, Cut::After)] {
        wire.cut_at(cut, "insert into note", 2);
        put(&db, id).await.unwrap();
    }
    wire.cut_at(Cut::Before, "begin", 2);
    put(&db, 3).await.unwrap();
    assert_eq!(wire.cuts(), 6);
    assert_eq!(notes(&server), [1, 2, 3]);
}

#[tokio::test]
async fn a_wire_that_breaks_every_time_makes_the_database_unavailable() {
    let (server, wire, db) = start().await;
    for cut in [Cut::Before, Cut::After] {
        wire.cut_at(cut, "insert into note", usize::MAX);
        let told = put(&db, 1).await;
        assert!(matches!(told, Err(Error::Unavailable(_))), "{cut:?}: {told:?}");
    }
    assert!(notes(&server).is_empty());
    wire.cut_at(Cut::Before, "insert into note", 0);
    put(&db, 2).await.unwrap();
    assert_eq!(notes(&server), [2]);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_asked_again() {
    let (server, wire, db) = start().await;
    put(&db, 1).await.unwrap();
    for cut in [Cut::Before, Cut::After] {
        wire.cut_at(cut, "select id from note", 2);
        let read: Result<Vec<(i64,)>, Error> = db.read(async |tx| tx.fetch_all("select id from note", &[]).await).await;
        assert_eq!(read.unwrap(), [(1,)], "{cut:?}");
    }
    assert_eq!((wire.cuts(), notes(&server).len()), (4, 1));
}

#[tokio::test]
async fn all_who_share_a_commit_share_its_doubt() {
    let (server, wire, db) = start().await;
    let before = db.stats();
    wire.cut_at(Cut::After, COMMIT, usize::MAX);
    let told = futures_util::future::join_all((0..40).map(|id| put(&db, id))).await;
    assert!(told.iter().all(|told| matches!(told, Err(Error::InDoubt(_)))), "{told:?}");
    assert!(wire.cuts() < 30, "they shared no commits: {}", wire.cuts());
    assert_eq!(db.stats(), before);
    assert_eq!(notes(&server), (0..40).collect::<Vec<_>>());
    wire.cut_at(Cut::After, COMMIT, 0);
    put(&db, 40).await.unwrap();
}
