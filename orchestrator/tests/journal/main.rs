//! What every journal must do, whatever it is made of: one suite of scenarios for all, a random comparison of the journal
//! over SQL with the one in memory, and what only rows can suffer.

#[cfg(test)]
mod bench;
#[cfg(test)]
mod beside;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod suite;
