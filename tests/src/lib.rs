//! The whole system in one test: real services and a real orchestrator over one database in memory, with scripted faults
//! between them and time that jumps to whatever happens next. Crashes are crashes of the orchestrator: its tasks stop where
//! they stand, and a new one starts over the same tables.

pub mod bad_input;
pub mod charges;
pub mod crash;
pub mod faults;
pub mod fuzz;
pub mod hall;
pub mod outside;
pub mod returns;
pub mod rooms;
pub mod world;

pub use crash::{CrashPoint, Crashing};
pub use faults::{Fault, Faults};
pub use hall::Hall;
pub use world::{Held, World};
