//! What the service does, told as scenarios over its gRPC methods, an in-memory database and a clock that the test moves.
#![cfg(test)]

mod admission;
mod events;
mod passes;
mod polling;
mod rivals;
mod rooms;
mod sagas;
mod sales;
mod shuffle;
mod tokens;
mod verify;
mod world;
