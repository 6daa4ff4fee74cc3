//! A decision in the making: the saga's copy that an event is worked into, and what piles up beside it.

use crate::{
    Announcement, Call, Command, Decision, Direction, Fact, Failure, Illegal, Kind, Moment, Plan, Saga, State,
    StepIndex, StepState, StepStatus, Suspension, invariants,
};

pub(super) struct Draft<'a> {
    pub(super) plan: &'a Plan,
    pub(super) at: Moment,
    pub(super) saga: Saga,
    pub(super) commands: Vec<Command>,
    pub(super) facts: Vec<Fact>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(plan: &'a Plan, saga: Saga, at: Moment) -> Draft<'a> {
        Draft { plan, at, saga, commands: Vec::new(), facts: Vec::new() }
    }

    /// A decision that changes nothing is none.
    pub(super) fn finish(self) -> Result<Decision, Illegal> {
        if self.facts.is_empty() {
            return Err(Illegal::Nothing);
        }
        debug_assert_eq!(invariants::check(self.plan, &self.saga), Ok(()));
        Ok(Decision { saga: self.saga, commands: self.commands, facts: self.facts })
    }

    pub(super) fn step(&mut self, index: StepIndex) -> &mut StepState {
        &mut self.saga.steps[index.0]
    }

    pub(super) fn status(&self, index: StepIndex) -> StepStatus {
        self.saga.steps[index.0].status
    }

    pub(super) fn kind(&self, index: StepIndex) -> Kind {
        self.plan.steps()[index.0].kind
    }

    pub(super) fn indices(&self) -> impl DoubleEndedIterator<Item = StepIndex> + use<> {
        (0..self.saga.steps.len()).map(StepIndex)
    }

    pub(super) fn pivot_status(&self) -> Option<StepStatus> {
        self.saga.pivot_status(self.plan)
    }

    /// The intent of the next attempt.
    pub(super) fn send(&mut self, step: StepIndex, direction: Direction) {
        let state = self.step(step);
        state.status = match direction {
            // That it happened stays known while its reply is fetched.
            Direction::Forward if state.status == StepStatus::Applied => StepStatus::Applied,
            Direction::Forward => StepStatus::Running,
            Direction::Compensation => StepStatus::Compensating,
        };
        let leg = state.leg_mut(direction);
        leg.attempts += 1;
        leg.in_flight = true;
        leg.next_ms = None;
        let call = Call { step, direction, attempt: leg.attempts };
        self.facts.push(Fact::Intended(call));
        self.commands.push(Command::Send(call));
    }

    pub(super) fn enter(&mut self, to: State, cause: Option<Failure>) {
        self.saga.state = to.clone();
        self.facts.push(Fact::Turned { to, cause });
    }

    pub(super) fn announce(&mut self, announcement: Announcement) {
        self.commands.push(Command::Announce(announcement));
    }

    pub(super) fn alarm(&mut self, call: Call) {
        self.facts.push(Fact::Alarm(call));
        self.announce(Announcement::Alarm(call));
    }

    /// Holds an open saga for a person. One that is held already stays held for its first cause.
    pub(super) fn suspend(&mut self, cause: Failure) {
        if self.saga.is_suspended() {
            return;
        }
        if let Some(from) = self.saga.phase() {
            let since_ms = self.at.now_ms;
            self.enter(State::Suspended(Suspension { from, since_ms, cause }), None);
            self.announce(Announcement::Suspended);
        }
    }

    /// Whether none of these steps has begun, and none takes part in deciding the saga.
    pub(super) fn can_skip(&self, skip: &[StepIndex]) -> bool {
        let arbiter = self.plan.arbiter().map(|(step, _)| step);
        skip.iter().all(|index| {
            self.saga.steps.get(index.0).is_some_and(|step| {
                let untouched = step.status == StepStatus::Pending && step.forward.attempts == 0;
                (untouched || step.status == StepStatus::Skipped)
                    && self.kind(*index) != Kind::Pivot
                    && arbiter != Some(*index)
            })
        })
    }

    pub(super) fn skip(&mut self, skip: &[StepIndex]) {
        for index in skip {
            if self.status(*index) == StepStatus::Pending {
                self.step(*index).status = StepStatus::Skipped;
                self.facts.push(Fact::Skipped(*index));
            }
        }
    }
}
