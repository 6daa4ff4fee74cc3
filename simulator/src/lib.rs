//! A deterministic simulation of the whole: the real runner in one to four processes, the real barrier in front of small
//! participants, and between them a network, a journal's store, customers and operators that do what such things do. A run
//! follows from its seed alone. Faults rage for a while; then they stop, and everything has to come to its end; then the
//! books are read.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each place names the few kinds of fault that mean something there"
)]

mod batch;
mod books;
mod clients;
mod dice;
mod faults;
mod gateway;
mod judge;
mod link;
mod mutants;
mod nemesis;
mod network;
mod process;
mod replica;
mod run;
mod shelf;
mod shrink;
mod store;
mod surgery;
mod swarm;
mod trace;
mod world;

pub use batch::{Totals, many};
pub use faults::{Fault, Kind};
pub use mutants::Mutant;
pub use run::{Options, Report, run};
pub use shrink::shrink;
