//! The schema of every service, as lists of steps that are applied once and never changed: a later need is a later step.
//! One text serves both engines.

pub mod concert;
pub mod customer;
pub mod orchestrator;
pub mod payment;
pub mod token;
