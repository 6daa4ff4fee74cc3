//! Servers that stop, and others that take over.

use std::time::Duration;

use service_kit::db::{Db, Error};
use testbed::postgres::{DATABASE, Stop};
use testbed::wire::Wire;

use crate::bed::{notes, open, options, put, put_at_last, server, start};

/// Longer than any answer may take when there is nobody who could give it.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn while_the_server_is_down_callers_are_told_so_and_when_it_is_back_nothing_need_be_done() {
    let (server, db) = start().await;
    for (round, how) in (0..).zip([Some(Stop::Fast), Some(Stop::Immediate), None]) {
        put(&db, round * 10).await.unwrap();
        how.map_or_else(|| server.kill9(), |how| server.stop(how)).unwrap();
        for id in 1..4 {
            let told = tokio::time::timeout(PATIENCE, put(&db, round * 10 + id)).await.unwrap();
            assert!(matches!(told, Err(Error::Unavailable(_))), "{how:?}: {told:?}");
            let read: Result<Vec<(i64,)>, Error> =
                db.read(async |tx| tx.fetch_all("select id from note", &[]).await).await;
            assert!(matches!(read, Err(Error::Unavailable(_))), "{how:?}: {read:?}");
        }
        server.restart().unwrap();
        put_at_last(&db, round * 10 + 9).await;
    }
    assert_eq!(notes(&server), [0, 9, 10, 19, 20, 29]);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_waited_for_until_it_does() {
    let primary = server();
    let standby = primary.standby().unwrap();
    let wire = Wire::to(&primary.address()).unwrap();
    let db = open(wire.url(DATABASE)).await;
    put(&db, 1).await.unwrap();
    standby.catch_up_with(&primary).unwrap();
    wire.lead_to(&standby.address());
    for id in 2..5 {
        let told = tokio::time::timeout(PATIENCE, put(&db, id)).await.unwrap();
        let Err(Error::Unavailable(text)) = told else { panic!("{told:?}") };
        assert!(text.contains("takes no writes"), "{text}");
    }
    standby.promote().unwrap();
    put_at_last(&db, 5).await;
    assert_eq!(notes(&standby), [1, 5]);
    assert_eq!(notes(&primary), [1]);
}

#[tokio::test]
async fn of_several_servers_the_one_that_takes_writes_is_found() {
    let primary = server();
    let standby = primary.standby().unwrap();
    let hosts = format!("{},{}", standby.address(), primary.address());
    let db = open(format!("postgres://skald@{hosts}/{DATABASE}?sslmode=disable&target_session_attrs=read-write")).await;
    put(&db, 1).await.unwrap();
    standby.catch_up_with(&primary).unwrap();
    primary.kill9().unwrap();
    let told = tokio::time::timeout(PATIENCE, put(&db, 2)).await.unwrap();
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    standby.promote().unwrap();
    put_at_last(&db, 3).await;
    assert_eq!(notes(&standby), [1, 3]);
}

#[tokio::test]
async fn a_host_that_accepts_and_says_nothing_is_passed_over() {
    let server = server();
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = mute.local_addr().unwrap();
    let alone = options(format!("postgres://skald@{address}/{DATABASE}"));
    let told = tokio::time::timeout(PATIENCE, Db::connect(&alone)).await.expect("nobody waits for ever").unwrap_err();
    assert!(told.to_string().contains("said nothing"), "{told}");
    let hosts = format!("{address},{}", server.address());
    let both = format!("postgres://skald@{hosts}/{DATABASE}?sslmode=disable&target_session_attrs=read-write");
    let db = tokio::time::timeout(PATIENCE, Db::connect(&options(both))).await.expect("the other is found").unwrap();
    let read: Result<(i64,), Error> = db.read(async |tx| tx.fetch_one("select 1::int8", &[]).await).await;
    assert_eq!(read.unwrap().0, 1);
}

#[tokio::test]
async fn a_handle_ends_while_the_server_is_down() {
    let (server, db) = start().await;
    let connections = "select count(*) from pg_stat_activity where usename = 'skald'";
    let stand = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(25));
        server.execute(connections).unwrap() == "4"
    });
    assert!(stand, "all connections stand in time");
    server.stop(Stop::Immediate).unwrap();
    // One has noticed; the others wait for work.
    let told = put(&db, 1).await;
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    let (say, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        drop(db);
        say.send(())
    });
    ended.recv_timeout(PATIENCE).expect("the handle ends in time");
}

#[tokio::test]
async fn a_server_that_freezes_is_given_up() {
    let (server, db) = start().await;
    put(&db, 1).await.unwrap();
    server.sigstop().unwrap();
    let told = tokio::time::timeout(PATIENCE, put(&db, 2)).await;
    server.sigcont().unwrap();
    let told = told.expect("nobody waits for ever");
    assert!(matches!(told, Err(Error::Unavailable(_))), "{told:?}");
    put_at_last(&db, 3).await;
    assert_eq!(notes(&server), [1, 3]);
}
