//! What customers and operators may do to a saga.

use crate::schedule::BACKGROUND_TRIES;
use crate::{
    Act, Announcement, Fact, Failure, Illegal, Kind, Phase, Resolution, StepIndex, StepState, StepStatus, Suspension,
    Verb,
};

use super::draft::Draft;

impl Draft<'_> {
    pub(super) fn intervene(&mut self, verb: Verb, act: &Act) {
        self.facts.push(Fact::Intervened { verb, by: act.by.clone(), reason: act.reason.clone() });
    }

    /// Gives an undecided saga a reason to stop. A suspended one stops when it is resumed.
    pub(super) fn stop(&mut self, verb: Verb, act: &Act) -> Result<(), Illegal> {
        if self.saga.is_past_pivot(self.plan) {
            return Err(Illegal::PastPivot);
        }
        if self.saga.phase() != Some(Phase::Running) || self.saga.failure.is_some() {
            return Err(Illegal::Nothing);
        }
        self.intervene(verb, act);
        self.saga.failure = Some(match verb {
            Verb::Cancel => Failure::cancelled(act),
            Verb::Abort | Verb::Suspend | Verb::Resume | Verb::Retry => Failure::aborted(act),
        });
        Ok(())
    }

    /// Lets a suspended saga go on where it was: the time that it was held does not count, and what was stuck or backing
    /// off is tried at once.
    pub(super) fn restore(&mut self, suspension: &Suspension) {
        let held_ms = self.at.now_ms.saturating_sub(suspension.since_ms).max(0);
        self.saga.deadline_ms = self.saga.deadline_ms.saturating_add(held_ms);
        self.forget_waits();
        self.enter(suspension.from.into(), self.saga.failure.clone());
        self.announce(Announcement::Resumed);
    }

    pub(super) fn retry(&mut self, act: &Act) -> Result<(), Illegal> {
        if !self.forget_waits() {
            return Err(Illegal::Nothing);
        }
        self.intervene(Verb::Retry, act);
        Ok(())
    }

    /// Tells whether anything was backing off or stuck.
    fn forget_waits(&mut self) -> bool {
        let mut found = false;
        for step in &mut self.saga.steps {
            for leg in [&mut step.forward, &mut step.compensation] {
                found |= leg.next_ms.take().is_some();
                if leg.stuck.take().is_some() {
                    found = true;
                    leg.contract = 0;
                }
            }
        }
        found
    }

    /// Takes a person's word for what became of a step, where nothing else can tell.
    pub(super) fn resolve(&mut self, index: StepIndex, resolution: &Resolution) -> Result<(), Illegal> {
        let step = self.saga.steps.get(index.0).ok_or(Illegal::NoSuchStep)?;
        let kind = self.kind(index);
        let is_arbitrating = self.saga.phase() == Some(Phase::Arbitrating);
        if kind == Kind::Pivot || (is_arbitrating && step.status == StepStatus::Compensating) {
            return Err(Illegal::PivotByHand);
        }
        if step.forward.in_flight || step.compensation.in_flight {
            return Err(Illegal::InFlight);
        }
        match (kind, step.status, resolution) {
            (Kind::Compensatable, StepStatus::Uncertain, Resolution::Succeeded { output }) => {
                self.attest(index, StepStatus::Succeeded, Some(output));
            }
            (Kind::Retriable, StepStatus::Uncertain | StepStatus::Pending, Resolution::Succeeded { output })
                if step.forward.attempts > 0 =>
            {
                self.attest(index, StepStatus::Succeeded, Some(output));
            }
            (Kind::Compensatable, StepStatus::Uncertain, Resolution::NotApplied) => {
                self.attest(index, StepStatus::Refused, None);
                // With its tombstone set, nothing that is late can happen.
                self.step(index).forward.ambiguous = 0;
                self.saga.failure.get_or_insert_with(Failure::not_applied);
            }
            (Kind::Compensatable, StepStatus::Compensating, Resolution::Compensated) if has_proved_stuck(step) => {
                self.attest(index, StepStatus::Compensated, None);
            }
            _ => return Err(Illegal::Unresolvable),
        }
        Ok(())
    }

    fn attest(&mut self, index: StepIndex, status: StepStatus, output: Option<&Vec<u8>>) {
        let step = self.step(index);
        step.status = status;
        step.output = output.cloned().or(step.output.take());
        step.forward.close();
        step.compensation.close();
    }

    pub(super) fn note_resolution(&mut self, step: StepIndex, resolution: &Resolution, act: &Act, evidence: &str) {
        self.facts.push(Fact::Resolved {
            step,
            resolution: resolution.clone(),
            by: act.by.clone(),
            reason: act.reason.clone(),
            evidence: evidence.to_owned(),
        });
    }
}

fn has_proved_stuck(step: &StepState) -> bool {
    step.compensation.stuck.is_some() || step.compensation.settled() >= BACKGROUND_TRIES
}
