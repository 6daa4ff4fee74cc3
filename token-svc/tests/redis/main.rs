//! The scenarios of `tests/scenarios` once more, with the line in Redis: whatever the service does, it does alike. Those
//! about the loss of Redis are here alone.
#![cfg(test)]

#[path = "../scenarios/admission.rs"]
mod admission;
mod crash;
#[path = "../scenarios/events.rs"]
mod events;
#[path = "../scenarios/long_line.rs"]
mod long_line;
mod loss;
#[path = "../scenarios/passes.rs"]
mod passes;
#[path = "../scenarios/polling.rs"]
mod polling;
#[path = "../scenarios/rivals.rs"]
mod rivals;
#[path = "../scenarios/rooms.rs"]
mod rooms;
#[path = "../scenarios/sagas.rs"]
mod sagas;
#[path = "../scenarios/sales.rs"]
mod sales;
#[path = "../scenarios/shuffle.rs"]
mod shuffle;
#[path = "../scenarios/tokens.rs"]
mod tokens;
#[path = "../scenarios/verify.rs"]
mod verify;
#[path = "../scenarios/world.rs"]
mod world;

/// Where the line of these scenarios is kept.
fn store() -> String {
    testbed::redis::database()
}
