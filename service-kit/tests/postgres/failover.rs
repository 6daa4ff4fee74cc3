//! Servers that stop, and others that take over.

use std::time::Duration;

use service_kit::db::Error;
use testbed::postgres::{DATABASE, Stop};
use testbed::wire::Wire;

use crate::bed::{notes, open, put, put_at_last, server, start};

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
