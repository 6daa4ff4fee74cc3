//! The rules of the tables find what breaks them.

use std::collections::BTreeSet;

use crate::world::World;

/// One held, one locked and one sold seat.
async fn world() -> World {
    let world = World::new().await;
    world.hold(1, &["A-1"]).await.unwrap();
    for (number, seat) in [(2, "A-2"), (3, "A-3")] {
        let held = world.hold(number, &[seat]).await.unwrap();
        world.lock(number, &held).await.unwrap();
        if number == 3 {
            world.confirm(number, &held, Some(number)).await.unwrap();
        }
    }
    world.verify().await;
    world
}

#[tokio::test]
async fn each_rule_finds_what_breaks_it() {
    for (breakage, broken) in [
        ("update concert_performance_seats set reservation_id = performance_id where seat_id = 'A-1'", "S1 S3"),
        ("update concert_performance_seats set state = 3 where seat_id = 'A-1'", "S2"),
        ("update concert_performance_seats set state = 1, reservation_id = null where seat_id = 'A-3'", "S3"),
        ("update concert_reservations set state = 6 where state = 1", "S2 S3 S6"),
        ("update concert_performance_seats set held_price = held_price + 1 where seat_id = 'A-2'", "S3"),
        ("delete from concert_tickets", "S4"),
        ("update concert_tickets set state = 3", "S4"),
        ("update concert_performances set seat_count = seat_count + 1", "S5"),
        ("update concert_performance_seats set ordinal = 99 where seat_id = 'A-8'", "S5"),
        ("update concert_performance_seats set hold_expire_time = 1 where seat_id = 'A-2'", "S6"),
        ("update concert_performance_seats set hold_expire_time = null where seat_id = 'A-1'", "S6"),
        ("update concert_concerts set max_seats_per_customer = 0, top_seats_per_customer = 3", ""),
        ("update concert_concerts set max_seats_per_customer = 0, top_seats_per_customer = 0", "S7"),
        (
            "update concert_concerts set max_live_reservations_per_customer = 0, top_live_reservations_per_customer = 0",
            "S7",
        ),
        ("update concert_reservations set lock_time = expire_time where state = 3", "S8"),
        ("update concert_reservations set confirm_saga_id = null where state = 3", "S8"),
    ] {
        let world = world().await;
        world.run(breakage).await;
        let mut found = BTreeSet::new();
        for check in concert_svc::verify::CHECKS {
            let findings = world.host.db.read(async move |tx| check.findings(tx).await).await;
            if !findings.unwrap().is_empty() {
                found.insert(check.id);
            }
        }
        assert_eq!(Vec::from_iter(found).join(" "), broken, "after {breakage}");
    }
}
