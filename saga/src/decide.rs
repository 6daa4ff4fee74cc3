//! The one place that chooses: a saga and an event in, the next saga and what follows from it out.
//!
//! `apply` is the table of what each event means in each state; every pair that means nothing is an [`Illegal`] value. An
//! event only writes down what is now known of the steps. What follows from that is derived by `advance` from the saga
//! alone, so that a reply that came while the saga was suspended, or before a crash, leads to the same end.

mod advance;
mod causes;
mod draft;
mod illegal;
mod operate;
mod record;

use crate::{Command, Event, Fact, Failure, Moment, Plan, Saga, State, StepIndex, StepState, Verb, invariants};

use draft::Draft;
pub use illegal::Illegal;

/// What to commit, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The saga as it is from now on.
    pub saga: Saga,
    /// What to do: announcements in the commit itself, calls after it.
    pub commands: Vec<Command>,
    /// What the history gains in the same commit.
    pub facts: Vec<Fact>,
}

impl Decision {
    /// Decides a further event before anything is committed, as one decision: adopt, then apply. Calls that the second
    /// event made pointless are not sent.
    pub fn then(self, plan: &Plan, event: &Event, at: Moment) -> Result<Decision, Illegal> {
        let mut next = decide(plan, &self.saga, event, at)?;
        let mut commands = self.commands;
        commands.append(&mut next.commands);
        commands.retain(|command| match command {
            Command::Send(call) => next.saga.in_flight().any(|in_flight| in_flight == *call),
            Command::Announce(_) => true,
        });
        let mut facts = self.facts;
        facts.append(&mut next.facts);
        Ok(Decision { saga: next.saga, commands, facts })
    }
}

/// Begins a saga without the steps that its input makes needless. The plan must have passed [`Plan::check`].
pub fn start(plan: &Plan, deadline_ms: i64, skip: &[StepIndex], at: Moment) -> Result<Decision, Illegal> {
    let saga = Saga {
        state: State::Running,
        deadline_ms,
        failure: None,
        decided_ms: None,
        ended_ms: None,
        steps: vec![StepState::default(); plan.steps().len()],
    };
    let mut draft = Draft::new(plan, saga, at);
    draft.facts.push(Fact::Started);
    if !draft.can_skip(skip) {
        return Err(Illegal::CannotSkip);
    }
    draft.skip(skip);
    draft.advance();
    draft.finish()
}

/// Decides what an event means for a saga. The saga is not changed: nothing has happened until the decision is committed.
/// An [`Illegal`] event changes nothing and needs no commit.
pub fn decide(plan: &Plan, saga: &Saga, event: &Event, at: Moment) -> Result<Decision, Illegal> {
    if saga.steps.len() != plan.steps().len() {
        return Err(Illegal::OtherPlan);
    }
    let mut draft = Draft::new(plan, saga.clone(), at);
    apply(&mut draft, event)?;
    draft.advance();
    let decision = draft.finish()?;
    debug_assert_eq!(invariants::check_step(plan, saga, event, &decision.saga), Ok(()));
    Ok(decision)
}

/// What each event means in each state.
fn apply(draft: &mut Draft<'_>, event: &Event) -> Result<(), Illegal> {
    use State::{Arbitrating, Compensated, Compensating, Completed, Completing, Running, Suspended};
    match (&draft.saga.state, event) {
        (_, Event::Attempted { call, outcome, elapsed_ms }) => draft.record(*call, outcome, *elapsed_ms),
        (
            Completed | Compensated,
            Event::Woke
            | Event::Adopted
            | Event::CancelRequested(_)
            | Event::Abort(_)
            | Event::Suspend(_)
            | Event::Resume(_)
            | Event::Retry(_)
            | Event::Resolve { .. },
        ) => Err(Illegal::Ended),

        (Running | Completing | Arbitrating | Compensating, Event::Woke) => Ok(()),
        (Suspended(_), Event::Woke) => Err(Illegal::Nothing),
        (Running | Completing | Arbitrating | Compensating | Suspended(_), Event::Adopted) => draft.adopt(),

        (Running | Suspended(_), Event::CancelRequested(act)) => draft.stop(Verb::Cancel, act),
        (Running, Event::Abort(act)) => draft.stop(Verb::Abort, act),
        (Suspended(suspension), Event::Abort(act)) => {
            let suspension = suspension.clone();
            draft.restore(&suspension);
            draft.stop(Verb::Abort, act)
        }
        (Completing, Event::CancelRequested(_) | Event::Abort(_)) => Err(Illegal::PastPivot),
        (Arbitrating | Compensating, Event::CancelRequested(_) | Event::Abort(_)) => Err(Illegal::Nothing),

        (Running | Completing | Arbitrating | Compensating, Event::Suspend(act)) => {
            draft.intervene(Verb::Suspend, act);
            draft.suspend(Failure::suspended(act));
            Ok(())
        }
        (Suspended(_), Event::Suspend(_)) => Err(Illegal::Nothing),
        (Suspended(suspension), Event::Resume(act)) => {
            let suspension = suspension.clone();
            draft.intervene(Verb::Resume, act);
            draft.restore(&suspension);
            Ok(())
        }
        (Running | Completing | Arbitrating | Compensating, Event::Resume(_)) => Err(Illegal::Nothing),

        (Running | Completing | Arbitrating | Compensating, Event::Retry(act)) => draft.retry(act),
        (Suspended(_), Event::Retry(_)) => Err(Illegal::Suspended),

        (
            Running | Completing | Arbitrating | Compensating | Suspended(_),
            Event::Resolve { step, resolution, act, evidence },
        ) => {
            draft.resolve(*step, resolution)?;
            draft.note_resolution(*step, resolution, act, evidence);
            Ok(())
        }
    }
}
