//! Stand-ins for the world outside, for the demo and the tests: a card processor, a provider of messages, a data platform.
//! They behave as such services do, badly too: slow, refusing, down, losing replies, saying things twice and late.
//!
//! Nothing in production depends on this crate.

pub mod listen;
pub mod messenger;
pub mod mood;
pub mod platform;
pub mod processor;
