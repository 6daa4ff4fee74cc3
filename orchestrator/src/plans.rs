//! The sagas that an orchestrator knows: for each its table, how a step's request is made and how a reply is read.
//! Everything else about a saga is the same for all of them and stands elsewhere, so that another one is another file here
//! or in another crate, and changes nothing else.

use std::sync::Arc;

use proto::payment::v1::payment::Method;
use saga::{Announcement, Direction, Plan, PlanError, Step, StepIndex};

use crate::exposure::Held;
use crate::journal::Record;

mod ask;
pub mod cancellation;
pub mod checkout;
pub mod point_charge;
mod read;
mod stand;

pub use ask::{Ask, input, output};
pub use read::{Read, kept, last_segment};
pub use stand::{has_happened, may_be_there, refusing_step};

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

/// A value that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// As it stands.
    Text(String),
    /// Points or money.
    Amount(i64),
}

impl Told {
    /// The name of a payment method.
    pub fn method(number: i32) -> Self {
        Self::Text(Method::try_from(number).unwrap_or_default().as_str_name().to_owned())
    }

    /// How many there are; nothing where there are none.
    pub fn count(count: usize) -> Self {
        Self::Text(if count > 0 { count.to_string() } else { String::new() })
    }
}

/// One kind of saga in one version.
pub trait Definition: std::fmt::Debug + Send + Sync + 'static {
    /// Its table.
    fn plan(&self) -> &'static Plan;

    /// The encoded request of a step, the same for every attempt in that direction.
    ///
    /// # Errors
    /// When the record lacks what the request needs, which parks the saga.
    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String>;

    /// Reads an OK reply.
    ///
    /// # Errors
    /// When it cannot be a reply to that request: undecodable, or about another saga or amount.
    fn reply(&self, read: Read<'_>) -> Result<Reply, String>;

    /// What the world hears, if anything. A saga that has ended announces one event, or its books do not agree.
    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced>;

    /// What is held while the saga is open, as far as it is known.
    fn held(&self, record: &Record) -> Held {
        let _ = record;
        Held::default()
    }

    /// The points or the money that it is about, once that is known.
    fn amount(&self, record: &Record) -> Option<i64> {
        let _ = record;
        None
    }

    /// What else people want to see of it: names and values. Nothing secret.
    fn about(&self, record: &Record) -> Vec<(&'static str, Told)> {
        let _ = record;
        Vec::new()
    }
}

/// Why sagas cannot be known together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsound {
    /// A plan does not hold together.
    #[error("the plan {kind} {version} does not hold together: {problem}")]
    Plan {
        /// The plan.
        kind: &'static str,
        /// Its version.
        version: u32,
        /// What is wrong with it.
        problem: PlanError,
    },
    /// Two definitions go by one name.
    #[error("there are two definitions of the plan {kind} {version}")]
    Twice {
        /// The plan.
        kind: &'static str,
        /// Its version.
        version: u32,
    },
}

/// The definitions that an orchestrator works with; cheap to clone.
#[derive(Debug, Clone)]
pub struct Plans(Arc<[&'static dyn Definition]>);

/// Those that come with it.
const BUILT_IN: &[&dyn Definition] = &[&checkout::Checkout, &cancellation::Cancellation, &point_charge::PointCharge];

impl Default for Plans {
    fn default() -> Self {
        Self(BUILT_IN.into())
    }
}

impl Plans {
    /// Those that come with the orchestrator, and `more`: other kinds, or other versions of a kind.
    ///
    /// # Errors
    /// When one of them does not hold together, or two have the same kind and version.
    pub fn with(more: &[&'static dyn Definition]) -> Result<Self, Unsound> {
        Self::checked([BUILT_IN, more].concat())
    }

    fn checked(all: Vec<&'static dyn Definition>) -> Result<Self, Unsound> {
        for (index, definition) in all.iter().enumerate() {
            let Plan { kind, version, .. } = *definition.plan();
            definition.plan().check().map_err(|problem| Unsound::Plan { kind, version, problem })?;
            let is_same = |other: &&dyn Definition| (other.plan().kind, other.plan().version) == (kind, version);
            if all[..index].iter().any(is_same) {
                return Err(Unsound::Twice { kind, version });
            }
        }
        Ok(Self(all.into()))
    }

    /// The definition of a kind in a version.
    pub fn find(&self, kind: &str, version: u32) -> Option<&'static dyn Definition> {
        let name = |definition: &&dyn Definition| (definition.plan().kind, definition.plan().version);
        self.0.iter().copied().find(|definition| name(definition) == (kind, version))
    }

    /// The newest version of the same kind: what new sagas start with.
    pub fn newest(&self, of: &'static dyn Definition) -> &'static dyn Definition {
        let same = self.0.iter().copied().filter(|known| known.plan().kind == of.plan().kind);
        same.max_by_key(|known| known.plan().version).unwrap_or(of)
    }

    /// The definition that a saga started with.
    pub fn of(&self, record: &Record) -> Option<&'static dyn Definition> {
        self.find(&record.kind, record.plan_version)
    }

    /// Its table.
    pub fn plan_of(&self, record: &Record) -> Option<&'static Plan> {
        self.of(record).map(Definition::plan)
    }
}

/// A line of the definition's table.
pub fn step(definition: &dyn Definition, index: StepIndex) -> &'static Step {
    definition.plan().step(index).expect("a decision only names steps of its own plan")
}

/// A direction's name in ids.
fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Compensation => "compensation",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_holds_together() {
        assert!(Plans::checked(BUILT_IN.to_vec()).is_ok());
    }

    /// The checkout as another build might have it.
    #[derive(Debug)]
    struct Later;

    impl Definition for Later {
        fn plan(&self) -> &'static Plan {
            const PLAN: Plan =
                Plan::new(checkout::KIND, checkout::PLAN.version + 1, &[saga::retriable("one", "a/One")]);
            &PLAN
        }

        fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
            ask.unknown()
        }

        fn reply(&self, read: Read<'_>) -> Result<Reply, String> {
            read.unknown()
        }

        fn event(&self, _: &Record, _: Announcement) -> Option<Announced> {
            None
        }
    }

    #[test]
    fn new_sagas_start_with_the_newest_version_that_is_known() {
        let version = |plans: &Plans| plans.newest(&checkout::Checkout).plan().version;
        assert_eq!(version(&Plans::default()), checkout::PLAN.version);
        let both = Plans::with(&[&Later]).unwrap();
        assert_eq!(version(&both), checkout::PLAN.version + 1);
        assert_eq!(both.newest(&cancellation::Cancellation).plan().kind, cancellation::PLAN.kind);
    }

    #[test]
    fn a_plan_is_known_once() {
        let plan = &checkout::PLAN;
        let twice = Plans::with(&[&checkout::Checkout]).map(drop);
        assert_eq!(twice, Err(Unsound::Twice { kind: plan.kind, version: plan.version }));
    }
}
