//! What the service does, told as scenarios over its gRPC methods, an in-memory database and a clock that the test moves.
#![cfg(test)]

mod admission;
mod events;
mod long_line;
mod passes;
mod polling;
mod retention;
mod rivals;
mod rooms;
mod sagas;
mod sales;
mod shuffle;
mod tokens;
mod verify;
mod world;

/// Where the line of these scenarios is kept.
fn store() -> String {
    "sql".to_owned()
}
