//! The sagas that this orchestrator knows: for each its table, how a step's request is made and how a reply is read.
//! Everything else about a saga is the same for all of them and stands elsewhere.

use saga::{Announcement, Direction, Plan, Step, StepIndex};

use crate::exposure::Held;
use crate::journal::Record;

pub mod checkout;

/// What a reply that makes sense leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// What later steps, or the answer to the customer, need of it.
    pub output: Vec<u8>,
    /// Later steps that it makes needless.
    pub skip: Vec<StepIndex>,
}

/// An event that a saga announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// `ticketing.<noun>.<past>.v1`.
    pub kind: &'static str,
    /// The resource that it tells of.
    pub aggregate: String,
    /// The encoded payload.
    pub data: Vec<u8>,
}

/// One kind of saga in one version.
pub trait Definition: std::fmt::Debug + Send + Sync + 'static {
    /// Its table.
    fn plan(&self) -> &'static Plan;

    /// The encoded request of a step, the same for every attempt in that direction.
    ///
    /// # Errors
    /// When the record lacks what the request needs, which parks the saga.
    fn request(&self, record: &Record, step: StepIndex, direction: Direction) -> Result<Vec<u8>, String>;

    /// Reads an OK reply.
    ///
    /// # Errors
    /// When it cannot be a reply to that request: undecodable, or about another saga or amount.
    fn reply(&self, record: &Record, step: StepIndex, direction: Direction, bytes: &[u8]) -> Result<Reply, String>;

    /// What is held while the saga is open, as far as it is known.
    fn held(&self, record: &Record) -> Held;

    /// What the world hears, if anything.
    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced>;
}

/// Every definition, newest version of a kind last.
static ALL: &[&dyn Definition] = &[&checkout::Checkout];

/// The definition that a saga started with.
pub fn find(kind: &str, version: u32) -> Option<&'static dyn Definition> {
    ALL.iter().copied().find(|definition| definition.plan().kind == kind && definition.plan().version == version)
}

/// A line of the definition's table.
pub fn step(definition: &dyn Definition, index: StepIndex) -> &'static Step {
    definition.plan().step(index).expect("a decision only names steps of its own plan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_holds_together() {
        for definition in ALL {
            assert_eq!(definition.plan().check(), Ok(()), "{}", definition.plan().kind);
        }
    }
}
