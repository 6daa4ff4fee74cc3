//! The runner alone, between a journal and participants that do as they are told: what it makes of each answer of the
//! journal, when one of its lives ends, whom it lets in and how much it sends. Paused time, never the clock of the machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod door;
mod gates;
mod journal;
mod life;
#[path = "../isolation/order.rs"]
mod order;
mod replies;
#[path = "../isolation/reply.rs"]
mod reply;
mod stage;
mod takeover;
mod trouble;
