//! The rules notice what breaks them.

use service_kit::args;
use service_kit::db;

use crate::world::{World, small_room};

/// Which rules are broken once `sql` has spoilt a room with two inside and two in line.
async fn broken_by(sql: &'static str) -> Vec<&'static str> {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 4).await;
    world.tick(1).await;
    world.states(&tokens).await;
    world.verify().await;
    world.host.db.write(async move |tx| tx.execute(sql, args![]).await).await.unwrap();
    let mut broken = Vec::new();
    for check in token_svc::verify::CHECKS {
        let findings = world.host.db.read(async move |tx| check.findings(tx).await);
        let findings: Result<_, db::Error> = findings.await;
        if !findings.unwrap().is_empty() {
            broken.push(check.id);
        }
    }
    broken
}

#[tokio::test]
async fn a_broken_rule_is_found() {
    let inside_too_early = "update token_tokens set state = 2, activate_time = 1, expire_time = 2 where sequence = 4";
    assert_eq!(broken_by(inside_too_early).await, ["Q1", "Q2"]);
    assert_eq!(broken_by("update token_tokens set state = 4 where sequence = 1").await, ["Q2"]);
    assert_eq!(broken_by("update token_rooms set waiting_count = 7").await, ["Q2"]);
    assert_eq!(broken_by("update token_rooms set max_active_tokens = 1").await, ["Q2"]);
    assert_eq!(broken_by("update token_tokens set sequence = 1 where sequence = 2").await, ["Q4"]);
    assert_eq!(broken_by("update token_rooms set issued_count = 9").await, ["Q4"]);
    assert_eq!(broken_by("update token_turns set through_sequence = 3").await, ["Q4"]);
    assert_eq!(broken_by("delete from token_tokens where sequence = 3").await, ["Q2", "Q4"]);
}
