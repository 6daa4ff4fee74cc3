//! What follows from what is known: the next state, and the calls that are due in it.

use crate::schedule::BACKGROUND_TRIES;
use crate::{Announcement, Direction, Fact, Failure, Kind, Leg, State, StepIndex, StepStatus};

use super::draft::Draft;

impl Draft<'_> {
    /// Takes every turn that the steps call for, sends what is due, and holds the saga if nothing but stuck calls is left.
    pub(super) fn advance(&mut self) {
        while let Some(next) = self.next_state() {
            self.turn(next);
        }
        self.send_due();
        self.suspend_when_stuck();
    }

    /// The turn that the saga has to take now. A suspended or ended saga takes none.
    fn next_state(&self) -> Option<State> {
        match &self.saga.state {
            State::Running => self.next_from_running(),
            State::Arbitrating => match self.pivot_status() {
                Some(StepStatus::Succeeded | StepStatus::Applied) => Some(State::Completing),
                Some(StepStatus::Refused) => Some(State::Compensating),
                Some(_) | None => None,
            },
            State::Completing => (self.is_forward_done() && self.is_quiet()).then_some(State::Completed),
            State::Compensating => (self.is_backward_done() && self.is_quiet()).then_some(State::Compensated),
            State::Completed | State::Compensated | State::Suspended(_) => None,
        }
    }

    fn next_from_running(&self) -> Option<State> {
        let pivot = self.pivot_status();
        let is_to_stop = self.saga.failure.is_some();
        let is_decided = match pivot {
            Some(pivot) => pivot.has_happened(),
            None => !is_to_stop && self.is_compensatable_part_done(),
        };
        if is_decided {
            Some(State::Completing)
        } else if !is_to_stop && self.at.now_ms < self.saga.deadline_ms {
            None
        } else if pivot.is_some_and(StepStatus::is_in_doubt) {
            Some(State::Arbitrating)
        } else {
            Some(State::Compensating)
        }
    }

    fn turn(&mut self, to: State) {
        match to {
            State::Completing => self.turn_forward(),
            State::Arbitrating => self.turn_to_arbiter(),
            State::Compensating => self.turn_back(),
            State::Completed => self.end(to, Announcement::Completed),
            State::Compensated => self.end(to, Announcement::Compensated),
            State::Running | State::Suspended(_) => {}
        }
    }

    /// The arbiter lost, if it was asked: its step stands.
    fn turn_forward(&mut self) {
        self.saga.failure = None;
        self.saga.decided_ms = Some(self.at.now_ms);
        if let Some((arbiter, _)) = self.plan.arbiter() {
            self.arbiter_lost(arbiter);
        }
        self.enter(State::Completing, None);
    }

    /// An attempt of the pivot that is in flight may still decide; no other is sent.
    fn turn_to_arbiter(&mut self) {
        let cause = self.cause();
        if let Some(pivot) = self.plan.pivot() {
            self.step(pivot).forward.next_ms = None;
        }
        self.enter(State::Arbitrating, Some(cause));
    }

    /// What is in flight forward is not waited for: its effect is taken for possible, and the participant's barrier bars
    /// it once the compensation is there.
    fn turn_back(&mut self) {
        let cause = self.cause();
        self.saga.decided_ms = Some(self.at.now_ms);
        let calls: Vec<_> = self.saga.in_flight().collect();
        for call in calls {
            if call.direction == Direction::Forward && self.kind(call.step) == Kind::Compensatable {
                let step = self.step(call.step);
                step.status = StepStatus::Uncertain;
                step.forward.in_flight = false;
                step.forward.ambiguous += 1;
                self.facts.push(Fact::Abandoned(call));
            }
        }
        for step in &mut self.saga.steps {
            step.forward.close();
        }
        self.enter(State::Compensating, Some(cause));
    }

    fn end(&mut self, to: State, announcement: Announcement) {
        self.saga.ended_ms = Some(self.at.now_ms);
        self.enter(to, None);
        self.announce(announcement);
    }

    /// Why the saga stops; without another cause, it ran out of time.
    fn cause(&mut self) -> Failure {
        self.saga.failure.get_or_insert_with(Failure::deadline).clone()
    }

    pub(super) fn arbiter_lost(&mut self, arbiter: StepIndex) {
        let step = self.step(arbiter);
        if step.status == StepStatus::Compensating {
            step.status = StepStatus::Succeeded;
            step.compensation.close();
        }
    }

    fn send_due(&mut self) {
        match &self.saga.state {
            State::Running | State::Completing => self.send_forward(),
            State::Arbitrating => self.send_arbiter(),
            State::Compensating => self.send_compensations(),
            State::Completed | State::Compensated | State::Suspended(_) => {}
        }
    }

    /// The steps of the first unfinished stage run side by side.
    fn send_forward(&mut self) {
        let unfinished = |step: &StepIndex| !self.status(*step).is_finished();
        let Some(first) = self.indices().find(unfinished) else {
            return;
        };
        let stage = self.plan.steps()[first.0].stage;
        let due: Vec<StepIndex> = self
            .indices()
            .filter(|step| self.plan.steps()[step.0].stage == stage && unfinished(step))
            .filter(|step| self.is_due(*step, Direction::Forward))
            .collect();
        for step in due {
            self.send(step, Direction::Forward);
        }
    }

    fn send_arbiter(&mut self) {
        if let Some((arbiter, _)) = self.plan.arbiter()
            && self.is_due(arbiter, Direction::Compensation)
        {
            self.send(arbiter, Direction::Compensation);
        }
    }

    /// In reverse order, one after the other, but without waiting for one that goes on in the background.
    fn send_compensations(&mut self) {
        let mut is_waiting = self
            .saga
            .steps
            .iter()
            .any(|step| step.status == StepStatus::Compensating && !is_in_background(&step.compensation));
        for step in self.indices().rev() {
            if self.status(step) == StepStatus::Compensating {
                if self.is_due(step, Direction::Compensation) {
                    self.send(step, Direction::Compensation);
                }
            } else if !is_waiting && self.saga.must_compensate(self.plan, step) {
                self.send(step, Direction::Compensation);
                is_waiting = true;
            }
        }
    }

    /// A stuck call holds only its own step: the saga is suspended once everything else has come to rest.
    fn suspend_when_stuck(&mut self) {
        let is_backing_off = self.saga.legs().any(|(_, _, leg)| leg.next_ms.is_some());
        if self.is_quiet() && !is_backing_off {
            let stuck = self.saga.legs().find_map(|(_, _, leg)| leg.stuck.clone());
            if let Some(cause) = stuck {
                self.suspend(cause);
            }
        }
    }

    fn is_due(&self, step: StepIndex, direction: Direction) -> bool {
        self.saga.steps[step.0].leg(direction).is_due(self.at.now_ms)
    }

    fn is_quiet(&self) -> bool {
        self.saga.in_flight().next().is_none()
    }

    fn is_forward_done(&self) -> bool {
        self.saga.steps.iter().all(|step| step.status.is_finished())
    }

    /// Without a pivot, the saga is decided when the last step that can be taken back has happened.
    fn is_compensatable_part_done(&self) -> bool {
        self.indices().all(|step| self.kind(step) != Kind::Compensatable || self.status(step).is_finished())
    }

    fn is_backward_done(&self) -> bool {
        self.indices()
            .all(|step| self.status(step) != StepStatus::Compensating && !self.saga.must_compensate(self.plan, step))
    }
}

/// One that three attempts could not settle, or that a broken contract fails, does not keep the next from being sent: the
/// outage of one participant must not hold what the others have to give back.
fn is_in_background(leg: &Leg) -> bool {
    leg.stuck.is_some() || leg.contract > 0 || leg.settled() >= BACKGROUND_TRIES
}
