//! Harm stays where it is: one participant that hangs, one saga that nobody can drive, one outage that left thousands open.
//! Counts and ratios in paused time, never the clock of the machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends here")]

mod hang;
mod house;
mod order;
mod poison;
mod recovery;
mod reply;
