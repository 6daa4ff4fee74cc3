//! What makes a plan sound. Everything that [`decide`](crate::decide) takes for granted about a plan is checked here.

use std::fmt;

use super::{Kind, Plan, Step, participant};

/// Why a plan cannot be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanError {
    /// There is no step.
    Empty,
    /// Two steps share this id.
    DuplicateId(&'static str),
    /// A method of this step is not `participant/Method`.
    BadMethod(&'static str),
    /// This step could be refused for ever before its first try.
    NoBudget(&'static str),
    /// This compensatable step has no compensation, or has it at another participant.
    NoCompensation(&'static str),
    /// A second step that decides.
    TwoPivots(&'static str),
    /// The pivot shares its stage with this step.
    PivotNotAlone(&'static str),
    /// This step comes before the decision and cannot be compensated.
    CannotBeCompensated(&'static str),
    /// This step comes after the decision and can be refused.
    CanBeRefused(&'static str),
    /// The pivot has no arbiter, or it is no compensatable step before it.
    NoArbiter(&'static str),
    /// The arbiter's compensation is served by another participant than the pivot.
    ArbiterElsewhere(&'static str),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Empty => write!(f, "the plan has no steps"),
            PlanError::DuplicateId(id) => write!(f, "two steps are called {id}"),
            PlanError::BadMethod(id) => write!(f, "a method of {id} is not participant/Method"),
            PlanError::NoBudget(id) => write!(f, "{id} has no try in its budget"),
            PlanError::NoCompensation(id) => {
                write!(f, "{id} has no compensation at its own participant")
            }
            PlanError::TwoPivots(id) => write!(f, "{id} is a second pivot"),
            PlanError::PivotNotAlone(id) => write!(f, "{id} runs beside the pivot"),
            PlanError::CannotBeCompensated(id) => write!(f, "{id} comes before the decision and cannot be compensated"),
            PlanError::CanBeRefused(id) => {
                write!(f, "{id} comes after the decision and can be refused")
            }
            PlanError::NoArbiter(id) => {
                write!(f, "{id} has no compensatable step before it as its arbiter")
            }
            PlanError::ArbiterElsewhere(id) => {
                write!(f, "the arbiter of {id} is at another participant")
            }
        }
    }
}

impl std::error::Error for PlanError {}

impl Plan {
    /// Tells whether the plan can keep its promise: nothing that cannot be compensated before the decision, nothing that
    /// can be refused after it, and one row that decides a pivot in doubt.
    pub fn check(&self) -> Result<(), PlanError> {
        if self.steps().is_empty() {
            return Err(PlanError::Empty);
        }
        for (index, step) in self.steps().iter().enumerate() {
            check_alone(step)?;
            check_against(step, &self.steps()[..index])?;
        }
        self.check_arbiter()
    }

    /// Exactly one row decides a pivot in doubt.
    fn check_arbiter(&self) -> Result<(), PlanError> {
        let Some(pivot) = self.pivot().and_then(|index| self.step(index)) else {
            return Ok(());
        };
        let arbiter = self.arbiter().and_then(|(index, _)| self.step(index));
        match arbiter {
            Some(step) if step.kind == Kind::Compensatable && step.participant() == pivot.participant() => Ok(()),
            Some(step) if step.kind == Kind::Compensatable => Err(PlanError::ArbiterElsewhere(pivot.id)),
            Some(_) | None => Err(PlanError::NoArbiter(pivot.id)),
        }
    }
}

/// What can be said of a step by itself.
fn check_alone(step: &Step) -> Result<(), PlanError> {
    if !is_method(step.forward) || !step.compensation.is_none_or(is_method) {
        return Err(PlanError::BadMethod(step.id));
    }
    if step.budget == 0 {
        return Err(PlanError::NoBudget(step.id));
    }
    // Both directions meet in one barrier row, so they must be served by the same participant.
    let compensated_there = step.compensation.map(participant) == Some(step.participant());
    if step.kind == Kind::Compensatable && !compensated_there {
        return Err(PlanError::NoCompensation(step.id));
    }
    Ok(())
}

/// What can be said of a step by those before it.
fn check_against(step: &Step, earlier: &[Step]) -> Result<(), PlanError> {
    for other in earlier {
        if other.id == step.id {
            return Err(PlanError::DuplicateId(step.id));
        }
        match (other.kind, step.kind) {
            (Kind::Pivot, Kind::Pivot) => return Err(PlanError::TwoPivots(step.id)),
            (Kind::Retriable, Kind::Pivot) => return Err(PlanError::CannotBeCompensated(other.id)),
            (Kind::Pivot | Kind::Retriable, Kind::Compensatable) => {
                return Err(PlanError::CanBeRefused(step.id));
            }
            (Kind::Compensatable, Kind::Pivot) if other.stage == step.stage => {
                return Err(PlanError::PivotNotAlone(other.id));
            }
            (Kind::Compensatable | Kind::Pivot, Kind::Retriable) if other.stage == step.stage => {
                return Err(PlanError::CannotBeCompensated(step.id));
            }
            (Kind::Compensatable, _) | (Kind::Pivot | Kind::Retriable, Kind::Retriable) => {}
        }
    }
    Ok(())
}

fn is_method(method: &str) -> bool {
    method
        .split_once('/')
        .is_some_and(|(participant, name)| !participant.is_empty() && !name.is_empty() && !name.contains('/'))
}
