//! The attempts of a step as its saga's history tells them, and their bars on the saga's time line.

use saga::{Call, Class, Direction, Fact, StepIndex};

use super::text;
use crate::journal::Entry;

/// Width of the time line, in its own units.
const WIDTH: i64 = 1_000;
/// Width of the shortest bar.
const NARROWEST: i64 = 4;

/// The time that the time line shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    pub(super) start_ms: i64,
    pub(super) end_ms: i64,
}

/// One attempt.
#[derive(Debug)]
pub(in super::super) struct Attempt {
    pub(in super::super) number: u32,
    pub(in super::super) compensation: bool,
    /// What it came to; also the class of its bar.
    pub(in super::super) outcome: &'static str,
    pub(in super::super) failure: String,
    pub(in super::super) offset: String,
    pub(in super::super) elapsed: String,
    sent_ms: i64,
    pub(in super::super) x: i64,
    pub(in super::super) width: i64,
}

/// All attempts of a step, in the order in which they went out.
pub(super) fn attempts(step: StepIndex, history: &[Entry], axis: Axis) -> Vec<Attempt> {
    let of_step = history.iter().filter(|entry| entry.fact.step() == Some(step));
    let mut attempts: Vec<(Call, Attempt)> = Vec::new();
    for entry in of_step {
        let Some(call) = entry.fact.call() else { continue };
        if matches!(entry.fact, Fact::Intended(_)) {
            attempts.push((call, Attempt::sent(call, entry.time, axis)));
        } else if let Some((_, attempt)) = attempts.iter_mut().rfind(|(sent, _)| *sent == call) {
            attempt.end(entry, axis);
        }
    }
    attempts.into_iter().map(|(_, attempt)| attempt).collect()
}

impl Attempt {
    fn sent(call: Call, sent_ms: i64, axis: Axis) -> Self {
        let (x, width) = axis.bar(sent_ms, axis.end_ms);
        Self {
            number: call.attempt,
            compensation: call.direction == Direction::Compensation,
            outcome: "under-way",
            failure: String::new(),
            offset: text::length(sent_ms - axis.start_ms),
            elapsed: text::length(axis.end_ms - sent_ms),
            sent_ms,
            x,
            width,
        }
    }

    fn end(&mut self, entry: &Entry, axis: Axis) {
        if let Fact::Answered { class, failure, .. } = &entry.fact {
            self.outcome = outcome(*class);
            self.failure = failure.as_ref().map(text::failure).unwrap_or_default();
        } else if matches!(entry.fact, Fact::Abandoned(_)) {
            self.outcome = "given-up";
        } else {
            return;
        }
        self.elapsed = text::length(entry.time - self.sent_ms);
        (self.x, self.width) = axis.bar(self.sent_ms, entry.time);
    }
}

impl Axis {
    /// Where a bar begins and how wide it is.
    fn bar(self, start_ms: i64, end_ms: i64) -> (i64, i64) {
        let span = (self.end_ms - self.start_ms).max(1);
        let place = |ms: i64| ((ms - self.start_ms).clamp(0, span) * WIDTH) / span;
        let x = place(start_ms).min(WIDTH - NARROWEST);
        (x, (place(end_ms) - x).max(NARROWEST))
    }
}

fn outcome(class: Class) -> &'static str {
    match class {
        Class::Done => "done",
        Class::Refused => "refused",
        Class::NotExecuted => "not-executed",
        Class::InDoubt => "in-doubt",
        Class::Overloaded => "overloaded",
        Class::Pending => "pending",
        Class::Contract => "contract",
        Class::Lie => "lie",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stay_on_the_time_line_and_can_be_seen() {
        let axis = Axis { start_ms: 1_000, end_ms: 2_000 };
        assert_eq!(axis.bar(1_000, 2_000), (0, 1_000));
        assert_eq!(axis.bar(1_500, 1_500), (500, NARROWEST));
        assert_eq!(axis.bar(2_000, 9_000), (WIDTH - NARROWEST, NARROWEST));
        assert_eq!(axis.bar(0, 500), (0, NARROWEST));
        let nothing = Axis { start_ms: 5, end_ms: 5 };
        assert_eq!(nothing.bar(5, 5), (0, NARROWEST));
    }
}
