//! Why an event means nothing to a saga.

use std::fmt;

/// An event that the saga does not take. Nothing changes and nothing is to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Illegal {
    /// Nothing is due, or what is asked for is so already.
    Nothing,
    /// A reply to an attempt that the saga no longer waits for.
    Stale,
    /// A reply to an attempt that was never made.
    NeverSent,
    /// The plan has no such step.
    NoSuchStep,
    /// The saga was not started from this plan.
    OtherPlan,
    /// A step that decides, has begun, or was never there cannot be skipped.
    CannotSkip,
    /// The saga has ended.
    Ended,
    /// The saga can no longer turn back.
    PastPivot,
    /// The saga is held; resume it first.
    Suspended,
    /// The step's outcome is still awaited.
    InFlight,
    /// Only the participant decides a pivot, or the arbiter that competes with it.
    PivotByHand,
    /// What is known of the step leaves no room for this statement.
    Unresolvable,
}

impl Illegal {
    /// The reason that an operator's or customer's call is answered with.
    pub fn reason(self) -> &'static str {
        match self {
            Illegal::Nothing => "NOTHING_TO_DO",
            Illegal::Stale => "STALE_ATTEMPT",
            Illegal::NeverSent => "ATTEMPT_NEVER_SENT",
            Illegal::NoSuchStep => "STEP_NOT_FOUND",
            Illegal::OtherPlan => "OTHER_PLAN",
            Illegal::CannotSkip => "STEP_NOT_SKIPPABLE",
            Illegal::Ended => "SAGA_ENDED",
            Illegal::PastPivot => "PAST_PIVOT",
            Illegal::Suspended => "SAGA_SUSPENDED",
            Illegal::InFlight => "STEP_IN_FLIGHT",
            Illegal::PivotByHand => "PIVOT_NOT_RESOLVABLE",
            Illegal::Unresolvable => "STEP_NOT_RESOLVABLE",
        }
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Illegal::Nothing => "there is nothing to do",
            Illegal::Stale => "the saga no longer waits for this attempt",
            Illegal::NeverSent => "this attempt was never made",
            Illegal::NoSuchStep => "the plan has no such step",
            Illegal::OtherPlan => "the saga was started from another plan",
            Illegal::CannotSkip => "the step cannot be skipped",
            Illegal::Ended => "the saga has ended",
            Illegal::PastPivot => "the saga is past its pivot and only goes forward",
            Illegal::Suspended => "the saga is suspended",
            Illegal::InFlight => "the step is in flight",
            Illegal::PivotByHand => "a pivot is never resolved by hand",
            Illegal::Unresolvable => "the step is not in a state that allows this resolution",
        })
    }
}

impl std::error::Error for Illegal {}
