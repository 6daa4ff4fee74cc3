//! What tests stand on: databases on either engine, private PostgreSQL and Redis servers and brokers that die with the test
//! process, a wire between a client and its server that can be cut, and what holds for every binary. For tests, and for the
//! load client, which starts such servers where it is asked to; no service uses any of it.

pub mod binary;
pub mod books;
pub mod broker;
mod engine;
pub mod faketime;
mod folder;
pub mod link;
pub mod postgres;
pub mod redis;
pub mod wire;

pub use engine::{Engine, connected, db, shared, threaded, without_checks};
