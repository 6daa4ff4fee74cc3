//! The table of a saga: its steps in order, what each may do, and what takes it back.
//!
//! A plan is built as a `const` by the crate that defines the saga, is checked once with [`Plan::check`], and is read by
//! [`decide`](crate::decide). Compensation order is the table read upwards. How a step's request is made and its reply
//! read is not known here.

mod check;

use serde::{Deserialize, Serialize};

use crate::Direction;

pub use check::PlanError;

/// The most steps that a plan may have; one more does not compile. Twice the longest plan in use.
pub(crate) const MAX_STEPS: usize = 16;

/// Tries of a step before the pivot, unless the step says otherwise: with full jitter they fit well into 30 s.
pub(crate) const DEFAULT_BUDGET: u32 = 4;

/// The place of a step in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StepIndex(pub usize);

/// What a step may do to the saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// May be refused, and can be taken back.
    Compensatable,
    /// May be refused; once it has happened the saga only goes forward.
    Pivot,
    /// Comes after the decision and may not be refused.
    Retriable,
}

/// How a pivot with an unknown outcome is decided: by a compensation that competes with it for one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arbiter {
    /// The step whose compensation arbitrates.
    pub step: &'static str,
    /// The reason that its refusal carries when the pivot has happened.
    pub reason: &'static str,
}

/// One line of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Names the step in history, metadata and the participant's barrier; the same for both directions.
    pub id: &'static str,
    /// What the step may do to the saga.
    pub kind: Kind,
    /// `participant/Method`.
    pub forward: &'static str,
    /// `participant/Method`; what a compensatable step is taken back with.
    pub compensation: Option<&'static str>,
    /// Steps of one stage run side by side; a stage begins when the one before it is finished.
    pub stage: usize,
    /// Failed tries before the step is given up, while the saga may still turn back.
    pub budget: u32,
    /// Whether the participant stores a refusal, so that a late duplicate finds it.
    pub keeps_refusals: bool,
    /// A pivot's arbiter.
    pub arbiter: Option<Arbiter>,
}

impl Step {
    const EMPTY: Step = Step::new("", Kind::Retriable, "");

    const fn new(id: &'static str, kind: Kind, forward: &'static str) -> Step {
        Step {
            id,
            kind,
            forward,
            compensation: None,
            stage: 0,
            budget: DEFAULT_BUDGET,
            keeps_refusals: true,
            arbiter: None,
        }
    }

    /// The method that serves this direction, if the step has one.
    pub fn method(&self, direction: Direction) -> Option<&'static str> {
        match direction {
            Direction::Forward => Some(self.forward),
            Direction::Compensation => self.compensation,
        }
    }

    /// The participant that owns the step's effect.
    pub fn participant(&self) -> &'static str {
        participant(self.forward)
    }
}

/// A step, or a group of steps that run side by side, as it is written in a plan's table.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// One step, a stage of its own.
    One(Step),
    /// Steps that share a stage.
    Together(&'static [Entry]),
}

/// A compensatable step.
pub const fn step(id: &'static str, forward: &'static str, compensation: &'static str) -> Entry {
    Entry::One(Step { compensation: Some(compensation), ..Step::new(id, Kind::Compensatable, forward) })
}

/// The step that decides the saga; it needs an [`arbiter`](Entry::arbiter).
pub const fn pivot(id: &'static str, forward: &'static str) -> Entry {
    Entry::One(Step::new(id, Kind::Pivot, forward))
}

/// A step after the decision.
pub const fn retriable(id: &'static str, forward: &'static str) -> Entry {
    Entry::One(Step::new(id, Kind::Retriable, forward))
}

/// Steps that run side by side.
pub const fn together(entries: &'static [Entry]) -> Entry {
    Entry::Together(entries)
}

impl Entry {
    /// Names the step whose compensation decides a pivot in doubt, and the reason it is refused with when it lost.
    /// Says nothing about a group.
    #[must_use]
    pub const fn arbiter(self, step: &'static str, reason: &'static str) -> Entry {
        match self {
            Entry::One(pivot) => Entry::One(Step { arbiter: Some(Arbiter { step, reason }), ..pivot }),
            Entry::Together(_) => self,
        }
    }

    /// Replaces the default number of tries. Says nothing about a group.
    #[must_use]
    pub const fn budget(self, budget: u32) -> Entry {
        match self {
            Entry::One(step) => Entry::One(Step { budget, ..step }),
            Entry::Together(_) => self,
        }
    }

    /// States that the participant does not store refusals. Says nothing about a group.
    #[must_use]
    pub const fn forgets_refusals(self) -> Entry {
        match self {
            Entry::One(step) => Entry::One(Step { keeps_refusals: false, ..step }),
            Entry::Together(_) => self,
        }
    }
}

/// A saga's definition. A saga stays on the version that it started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The kind of saga that this plan defines.
    pub kind: &'static str,
    /// Grows whenever the steps change.
    pub version: u32,
    steps: [Step; MAX_STEPS],
    len: usize,
}

impl Plan {
    /// Lays the entries out as steps with stages. [`Plan::check`] tells whether the result makes sense.
    pub const fn new(kind: &'static str, version: u32, entries: &[Entry]) -> Plan {
        let mut plan = Plan { kind, version, steps: [Step::EMPTY; MAX_STEPS], len: 0 };
        let mut stage = 0;
        while stage < entries.len() {
            plan = plan.with(entries[stage], stage);
            stage += 1;
        }
        plan
    }

    const fn with(mut self, entry: Entry, stage: usize) -> Plan {
        match entry {
            Entry::One(step) => {
                self.steps[self.len] = Step { stage, ..step };
                self.len += 1;
            }
            Entry::Together(entries) => {
                let mut member = 0;
                while member < entries.len() {
                    self = self.with(entries[member], stage);
                    member += 1;
                }
            }
        }
        self
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    /// One step; an index from another plan may be out of range and gives none.
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps().get(index.0)
    }

    /// The step with this id.
    pub fn find(&self, id: &str) -> Option<StepIndex> {
        self.position(|step| step.id == id)
    }

    /// The step that decides the saga, if the plan has one.
    pub fn pivot(&self) -> Option<StepIndex> {
        self.position(|step| step.kind == Kind::Pivot)
    }

    /// The step whose compensation decides a pivot in doubt, and the reason it is refused with when it lost.
    pub fn arbiter(&self) -> Option<(StepIndex, &'static str)> {
        let arbiter = self.step(self.pivot()?)?.arbiter?;
        Some((self.find(arbiter.step)?, arbiter.reason))
    }

    fn position(&self, is_it: impl Fn(&Step) -> bool) -> Option<StepIndex> {
        self.steps().iter().position(is_it).map(StepIndex)
    }
}

/// The part of `participant/Method` before the slash.
fn participant(method: &'static str) -> &'static str {
    method.split_once('/').map_or(method, |(participant, _)| participant)
}
