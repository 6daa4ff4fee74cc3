//! The statements, each a function named for its meaning. What they are for, and in which order, is said by the callers.

mod catalogue;
mod reservations;
mod seats;

pub(crate) use catalogue::*;
pub(crate) use reservations::*;
pub(crate) use seats::*;
