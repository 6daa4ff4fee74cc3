//! Skald in one process, and the tools of those who run it. The binary beside this library only reads its arguments.

pub mod checkout;
pub mod client;
pub mod demo;
pub mod letters;
pub mod migrate;
pub mod sagas;
pub mod settings;
pub mod up;
pub mod verify;
pub mod view;
