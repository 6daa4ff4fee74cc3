//! What bad input is made of: every method with a request that it accepts, taken apart field by field, and what may be
//! answered to a spoilt one. The stories about it and the fuzzing of all methods share this.

#![expect(missing_docs, reason = "names of the parts of a message say what they are")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

pub mod call;
pub mod contract;
pub mod message;
pub mod stage;
pub mod wrong;
