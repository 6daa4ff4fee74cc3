//! What can happen to a saga, without times and texts.

use saga::{Act, Call, Direction, Failure, Moment, Outcome, Plan, Resolution, Saga, StepIndex};

/// One direction of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Leg(pub(crate) u8);

impl Leg {
    pub(crate) fn new(step: usize, direction: Direction) -> Leg {
        Leg((step as u8) << 1 | u8::from(direction == Direction::Compensation))
    }

    pub(crate) fn step(self) -> usize {
        usize::from(self.0 >> 1)
    }

    pub(crate) fn direction(self) -> Direction {
        if self.0 & 1 == 0 { Direction::Forward } else { Direction::Compensation }
    }

    pub(crate) fn is_forward(self) -> bool {
        self.0 & 1 == 0
    }

    pub(crate) fn bit(self) -> u16 {
        1 << self.0
    }
}

/// The legs of a mask.
pub(crate) fn legs(mask: u16) -> impl Iterator<Item = Leg> {
    (0..16).map(Leg).filter(move |leg| mask & leg.bit() != 0)
}

/// What a caller makes of a reply, or of its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Answer {
    Done,
    Refused,
    /// The arbiter's refusal: the pivot has happened.
    PivotStands,
    NotExecuted,
    InDoubt,
    Overloaded,
    Pending,
    Contract,
    Lie,
}

impl Answer {
    pub(crate) const ALL: [Answer; 9] = [
        Answer::Done,
        Answer::Refused,
        Answer::PivotStands,
        Answer::NotExecuted,
        Answer::InDoubt,
        Answer::Overloaded,
        Answer::Pending,
        Answer::Contract,
        Answer::Lie,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Answer::Done => "done",
            Answer::Refused => "refused",
            Answer::PivotStands => "refused: the pivot stands",
            Answer::NotExecuted => "not executed",
            Answer::InDoubt => "in doubt",
            Answer::Overloaded => "overloaded",
            Answer::Pending => "pending",
            Answer::Contract => "a broken contract",
            Answer::Lie => "garbage",
        }
    }
}

/// What an operator states, and it is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Succeeded,
    NotApplied,
    Compensated,
}

/// One event. A late one comes after the saga's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    Answered { leg: Leg, answer: Answer, late: bool },
    Woke(Leg),
    Deadline,
    Adopted { late: bool },
    Cancel,
    Abort,
    Suspend,
    Resume,
    Retry,
    Resolve { step: u8, word: Word },
}

/// When the deadline is, in a model that begins at nought and in which no time passes.
pub(crate) const DEADLINE_MS: i64 = 1_000;
/// What is longer than any deadline.
pub(crate) const LATER_MS: i64 = 100_000;
/// Enough jitter that a back-off is never nothing.
const JITTER: u64 = 0x2121_2121_2121_2121;
/// How long participants ask to be left alone.
const ASKED_MS: i64 = 10;

impl Event {
    pub(crate) fn at(self) -> Moment {
        let is_late = match self {
            Event::Answered { late, .. } | Event::Adopted { late } => late,
            Event::Deadline => true,
            Event::Woke(_)
            | Event::Cancel
            | Event::Abort
            | Event::Suspend
            | Event::Resume
            | Event::Retry
            | Event::Resolve { .. } => false,
        };
        Moment { now_ms: if is_late { DEADLINE_MS } else { 0 }, jitter: JITTER }
    }

    /// As the shipped core takes it. `skips` is what the first step's reply makes needless.
    pub(crate) fn shipped(self, plan: &Plan, saga: &Saga, skips: &[usize]) -> saga::Event {
        match self {
            Event::Answered { leg, answer, .. } => {
                let attempt = saga.steps()[leg.step()].leg(leg.direction()).attempts;
                let call = Call { step: StepIndex(leg.step()), direction: leg.direction(), attempt };
                let skips = if leg == Leg(0) { skips } else { &[] };
                saga::Event::Attempted { call, outcome: outcome(plan, answer, skips), elapsed_ms: 0 }
            }
            Event::Woke(_) | Event::Deadline => saga::Event::Woke,
            Event::Adopted { .. } => saga::Event::Adopted,
            Event::Cancel => saga::Event::CancelRequested(act()),
            Event::Abort => saga::Event::Abort(act()),
            Event::Suspend => saga::Event::Suspend(act()),
            Event::Resume => saga::Event::Resume(act()),
            Event::Retry => saga::Event::Retry(act()),
            Event::Resolve { step, word } => saga::Event::Resolve {
                step: StepIndex(usize::from(step)),
                resolution: match word {
                    Word::Succeeded => Resolution::Succeeded { output: Vec::new() },
                    Word::NotApplied => Resolution::NotApplied,
                    Word::Compensated => Resolution::Compensated,
                },
                act: act(),
                evidence: String::new(),
            },
        }
    }
}

fn outcome(plan: &Plan, answer: Answer, skips: &[usize]) -> Outcome {
    let failure = |reason: &str| Failure::new(9, reason, "");
    match answer {
        Answer::Done => Outcome::Done { output: Vec::new(), skip: skips.iter().copied().map(StepIndex).collect() },
        Answer::Refused => Outcome::Refused(failure("NO")),
        Answer::PivotStands => Outcome::Refused(failure(plan.arbiter().map_or("", |(_, reason)| reason))),
        Answer::NotExecuted => Outcome::NotExecuted(failure("NOT_EXECUTED")),
        Answer::InDoubt => Outcome::InDoubt(failure("IN_DOUBT")),
        Answer::Overloaded => Outcome::Overloaded(failure("OVERLOADED"), ASKED_MS),
        Answer::Pending => Outcome::Pending(ASKED_MS),
        Answer::Contract => Outcome::Contract(failure("CONTRACT")),
        Answer::Lie => Outcome::Lie(failure("LIE")),
    }
}

fn act() -> Act {
    Act { by: "operators/1".to_owned(), reason: "because".to_owned() }
}
