//! What an attempt's outcome tells about its step. What follows from that is not decided here.

use crate::schedule;
use crate::{Attempt, Call, Direction, Fact, Failure, Illegal, Kind, Outcome, Phase, StepIndex, StepStatus};

use super::draft::Draft;

impl Draft<'_> {
    /// Records the outcome of the attempt that is in flight. Whatever else arrives is stale: the attempt after it, or the
    /// compensation, answers for the same key.
    pub(super) fn record(&mut self, call: Call, outcome: &Outcome, elapsed_ms: u32) -> Result<(), Illegal> {
        let step = self.saga.steps.get(call.step.0).ok_or(Illegal::NoSuchStep)?;
        let leg = step.leg(call.direction);
        if call.attempt == 0 || call.attempt > leg.attempts {
            return Err(Illegal::NeverSent);
        }
        if call.attempt < leg.attempts || !leg.in_flight {
            return Err(Illegal::Stale);
        }
        self.note(call, outcome, elapsed_ms);
        match call.direction {
            Direction::Forward => self.record_forward(call, outcome),
            Direction::Compensation => self.record_compensation(call, outcome),
        }
        Ok(())
    }

    /// Another process takes over: what was in flight is one attempt in doubt, so that a step which kills its process
    /// spends its budget.
    pub(super) fn adopt(&mut self) -> Result<(), Illegal> {
        self.facts.push(Fact::Adopted);
        let calls: Vec<_> = self.saga.in_flight().collect();
        for call in calls {
            self.record(call, &Outcome::InDoubt(Failure::adopted()), 0)?;
        }
        Ok(())
    }

    /// Counts the attempt.
    fn note(&mut self, call: Call, outcome: &Outcome, elapsed_ms: u32) {
        let class = outcome.class();
        let failure = outcome.failure().cloned();
        let at_ms = self.at.now_ms;
        let leg = self.step(call.step).leg_mut(call.direction);
        leg.in_flight = false;
        leg.failed += u32::from(class.spends_budget());
        leg.ambiguous += u32::from(class.is_ambiguous());
        leg.contract += u32::from(matches!(outcome, Outcome::Contract(_)));
        leg.remember(Attempt {
            number: call.attempt,
            class,
            code: failure.as_ref().map_or(0, |failure| failure.code),
            reason: failure.as_ref().map_or_else(String::new, |failure| failure.reason.clone()),
            at_ms,
            elapsed_ms,
        });
        self.facts.push(Fact::Answered { call, class, failure, elapsed_ms });
    }

    fn record_forward(&mut self, call: Call, outcome: &Outcome) {
        match (self.status(call.step), outcome) {
            // The arbiter has won; a pivot that happened all the same is a second winner.
            (StepStatus::Refused, Outcome::Done { .. }) => self.suspend(Failure::two_winners()),
            (StepStatus::Refused, _) => {}
            (_, Outcome::Done { output, skip }) if self.can_skip(skip) => self.succeeded(call.step, output, skip),
            (_, Outcome::Done { .. }) => self.lied(call, &Failure::impossible_skip()),
            // The arbiter has lost to a pivot that now says it never happened.
            (StepStatus::Applied, Outcome::Refused(failure)) | (_, Outcome::Lie(failure)) => self.lied(call, failure),
            (_, Outcome::Refused(failure)) => self.refused(call, failure),
            _ => self.unsettled(call, outcome),
        }
    }

    fn record_compensation(&mut self, call: Call, outcome: &Outcome) {
        if self.arbitrates(call.step) && self.is_arbitrated(call.step, outcome) {
            return;
        }
        match outcome {
            Outcome::Done { .. } => {
                let step = self.step(call.step);
                step.status = StepStatus::Compensated;
                step.compensation.close();
            }
            Outcome::Refused(failure) => self.stick(call, failure),
            Outcome::Lie(failure) => self.lied(call, failure),
            Outcome::NotExecuted(_)
            | Outcome::InDoubt(_)
            | Outcome::Overloaded(..)
            | Outcome::Pending(_)
            | Outcome::Contract(_) => self.unsettled(call, outcome),
        }
    }

    fn succeeded(&mut self, index: StepIndex, output: &[u8], skip: &[StepIndex]) {
        let step = self.step(index);
        step.status = StepStatus::Succeeded;
        step.output = Some(output.to_vec());
        step.forward.close();
        self.skip(skip);
    }

    fn refused(&mut self, call: Call, failure: &Failure) {
        let line = self.plan.steps()[call.step.0];
        let is_definite = line.keeps_refusals || self.step(call.step).forward.ambiguous == 0;
        match line.kind {
            Kind::Retriable => return self.stick(call, failure),
            // An earlier attempt may yet arrive and decide otherwise: only the arbiter can tell.
            Kind::Pivot if !is_definite => self.step(call.step).status = StepStatus::Uncertain,
            Kind::Pivot | Kind::Compensatable => {
                let step = self.step(call.step);
                step.status = StepStatus::Refused;
                step.forward.close();
            }
        }
        self.saga.failure.get_or_insert_with(|| failure.clone());
    }

    /// Whether this step's compensation is, or was, asked to decide the pivot.
    fn arbitrates(&self, step: StepIndex) -> bool {
        let is_arbiter = self.plan.arbiter().is_some_and(|(arbiter, _)| arbiter == step);
        is_arbiter && matches!(self.saga.phase(), Some(Phase::Arbitrating | Phase::Completing))
    }

    /// What the arbiter's outcome says about the pivot. True if nothing is left to record: the arbiter lost.
    fn is_arbitrated(&mut self, arbiter: StepIndex, outcome: &Outcome) -> bool {
        let Some((pivot, (_, reason))) = self.plan.pivot().zip(self.plan.arbiter()) else {
            return false;
        };
        match (self.status(pivot), outcome) {
            (StepStatus::Succeeded | StepStatus::Applied, outcome) => {
                self.arbiter_lost(arbiter);
                if matches!(outcome, Outcome::Done { .. }) {
                    self.suspend(Failure::two_winners());
                }
                true
            }
            (StepStatus::Running | StepStatus::Uncertain, Outcome::Done { .. }) => {
                let pivot = self.step(pivot);
                pivot.status = StepStatus::Refused;
                pivot.forward.close();
                false
            }
            (StepStatus::Running | StepStatus::Uncertain, Outcome::Refused(failure)) if failure.reason == reason => {
                self.step(pivot).status = StepStatus::Applied;
                self.arbiter_lost(arbiter);
                true
            }
            _ => false,
        }
    }

    /// The outcome leaves the step open: it is tried again, given up, or stuck.
    fn unsettled(&mut self, call: Call, outcome: &Outcome) {
        if call.direction == Direction::Forward {
            self.mark_unsettled(call.step);
        }
        let failure = outcome.failure().cloned().unwrap_or_default();
        let budget = self.plan.steps()[call.step.0].budget;
        let leg = self.saga.steps[call.step.0].leg(call.direction);
        let is_contract_spent = leg.contract >= schedule::CONTRACT_TRIES && matches!(outcome, Outcome::Contract(_));
        let is_budget_spent = leg.failed >= budget && outcome.class().spends_budget();
        let is_alarming = leg.failed == schedule::ALARM_TRIES && outcome.class().spends_budget();
        match (self.saga.phase(), call.direction) {
            (Some(Phase::Running), _) if is_contract_spent || is_budget_spent => {
                self.saga.failure.get_or_insert(failure);
            }
            // The pivot is not asked again while its arbiter is.
            (Some(Phase::Arbitrating), Direction::Forward) => {}
            (Some(Phase::Running), _) => self.back_off(call, outcome),
            _ if is_contract_spent => self.stick(call, &failure),
            _ => {
                self.back_off(call, outcome);
                if is_alarming {
                    self.alarm(call);
                }
            }
        }
    }

    /// A pivot stays in doubt from its first intent on: every reason to stop then goes through its arbiter.
    fn mark_unsettled(&mut self, index: StepIndex) {
        let is_pivot = self.kind(index) == Kind::Pivot;
        let step = self.step(index);
        if step.status != StepStatus::Applied {
            step.status = match is_pivot || step.forward.ambiguous > 0 {
                true => StepStatus::Uncertain,
                false => StepStatus::Pending,
            };
        }
    }

    fn back_off(&mut self, call: Call, outcome: &Outcome) {
        let is_undecided = self.saga.phase() == Some(Phase::Running);
        let cap_ms = match is_undecided {
            true => schedule::UNDECIDED_CAP_MS,
            false => schedule::DECIDED_CAP_MS,
        };
        // Steps of one decision must not wake together.
        let jitter = self.at.jitter.rotate_left(8 * call.step.0 as u32);
        let backoff_ms = schedule::backoff_ms(call.attempt, cap_ms, jitter);
        let wait_ms = match outcome {
            Outcome::Pending(asked_ms) if *asked_ms > 0 => schedule::retry_after_ms(*asked_ms),
            Outcome::Overloaded(_, asked_ms) => schedule::retry_after_ms(*asked_ms) + backoff_ms,
            Outcome::Contract(_) if !is_undecided => schedule::slow_ms(jitter),
            Outcome::Pending(_) | Outcome::Contract(_) | Outcome::NotExecuted(_) | Outcome::InDoubt(_) => backoff_ms,
            // Settled or held: these do not back off.
            Outcome::Done { .. } | Outcome::Refused(_) | Outcome::Lie(_) => return,
        };
        let next_ms = self.at.now_ms.saturating_add(wait_ms);
        self.step(call.step).leg_mut(call.direction).next_ms = Some(next_ms);
    }

    /// No further attempt before a person has looked; the rest of the saga goes on as far as it can.
    fn stick(&mut self, call: Call, failure: &Failure) {
        if call.direction == Direction::Forward {
            self.mark_unsettled(call.step);
        }
        self.step(call.step).leg_mut(call.direction).stuck = Some(failure.clone());
        self.alarm(call);
    }

    fn lied(&mut self, call: Call, failure: &Failure) {
        if call.direction == Direction::Forward {
            self.mark_unsettled(call.step);
        }
        self.suspend(failure.clone());
    }
}
