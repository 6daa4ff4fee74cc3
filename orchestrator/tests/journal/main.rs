//! What every journal must do, whatever it is made of: one suite of scenarios for all, a random comparison of the journal
//! over SQL with the one in memory, and what only rows can suffer.

mod bench;
mod differential;
mod rows;
mod suite;
