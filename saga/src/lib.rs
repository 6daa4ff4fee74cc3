//! The pure core of the saga engine: what happens next, decided from values alone.
//!
//! A [`Plan`] is the table of a saga's steps. A [`Saga`] is where one run of it stands. [`start`] and [`decide`] take a
//! saga and an [`Event`] and return a [`Decision`]: the saga to commit, the [`Command`]s that follow from that commit
//! and the [`Fact`]s for its history. The caller commits, then carries the commands out, and feeds every [`Outcome`]
//! back as the next event.
//!
//! Not here: clock, random numbers, ids, I/O, logging, and anything that waits. Time and jitter come in as a [`Moment`].

mod bytes;
mod command;
mod decide;
mod event;
pub mod invariants;
mod outcome;
mod plan;
pub mod schedule;
mod state;

pub use command::{Announcement, Call, Command, Direction, Fact};
pub use decide::{Decision, Illegal, decide, start};
pub use event::{Act, Event, Moment, Resolution, Verb};
pub use outcome::{Class, Failure, Outcome};
pub use plan::{Arbiter, Entry, Kind, Plan, PlanError, Step, StepIndex, pivot, retriable, step, together};
pub use state::{Attempt, Leg, Phase, Saga, State, StepState, StepStatus, Suspension};
