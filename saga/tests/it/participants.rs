//! Model participants: one barrier row per step, and books that count every effect.

use saga::{Direction, Kind, Outcome, Plan, StepIndex};

use crate::script::{failure, outcome};

/// A step's barrier row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Row {
    Empty,
    Applied,
    Refused,
    Compensated,
    Tombstone,
}

/// All participants of one saga.
pub(crate) struct Participants {
    plan: &'static Plan,
    rows: Vec<Row>,
    /// How often each step's effect was applied, and taken back.
    pub(crate) applied: Vec<u32>,
    pub(crate) undone: Vec<u32>,
}

impl Participants {
    pub(crate) fn new(plan: &'static Plan) -> Participants {
        let count = plan.steps().len();
        Participants { plan, rows: vec![Row::Empty; count], applied: vec![0; count], undone: vec![0; count] }
    }

    /// Serves one message. `is_willing` is the business's answer, if it comes to that.
    pub(crate) fn serve(&mut self, step: StepIndex, direction: Direction, is_willing: bool) -> Outcome {
        match direction {
            Direction::Forward => self.forward(step, is_willing),
            Direction::Compensation => self.compensate(step),
        }
    }

    fn forward(&mut self, step: StepIndex, is_willing: bool) -> Outcome {
        match self.rows[step.0] {
            Row::Applied => outcome("done"),
            Row::Refused => outcome("refused"),
            Row::Compensated | Row::Tombstone => outcome("refused SAGA_COMPENSATED"),
            Row::Empty if is_willing && self.holds_lock(step) => {
                self.rows[step.0] = Row::Applied;
                self.applied[step.0] += 1;
                outcome("done")
            }
            Row::Empty => {
                let line = self.plan.steps()[step.0];
                if line.kind != Kind::Retriable && line.keeps_refusals {
                    self.rows[step.0] = Row::Refused;
                }
                outcome("refused")
            }
        }
    }

    /// A pivot happens only on the row that its arbiter would give back.
    fn holds_lock(&self, step: StepIndex) -> bool {
        match self.plan.arbiter() {
            Some((arbiter, _)) if self.plan.pivot() == Some(step) => self.rows[arbiter.0] == Row::Applied,
            _ => true,
        }
    }

    fn compensate(&mut self, step: StepIndex) -> Outcome {
        if let Some((arbiter, reason)) = self.plan.arbiter()
            && arbiter == step
            && self.plan.pivot().is_some_and(|pivot| self.rows[pivot.0] == Row::Applied)
        {
            return Outcome::Refused(failure(reason));
        }
        self.rows[step.0] = match self.rows[step.0] {
            Row::Empty | Row::Refused | Row::Tombstone => Row::Tombstone,
            Row::Compensated => Row::Compensated,
            Row::Applied => {
                self.undone[step.0] += 1;
                Row::Compensated
            }
        };
        outcome("done")
    }
}
