//! Times, lengths and codes as people read them.

use saga::{Failure, State, StepStatus};
use service_kit::wire::timestamp;

use crate::status::wire;
pub(super) use crate::status::wire::code;

/// A point in time, to the millisecond.
pub(super) fn time(ms: i64) -> String {
    let text = timestamp(ms).to_string();
    let text = text.trim_end_matches('Z').replace('T', " ");
    match text.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:.3} UTC"),
        None => format!("{text}.000 UTC"),
    }
}

/// A length of time, in its two largest units.
pub(super) fn length(ms: i64) -> String {
    let (seconds, minutes, hours) = (ms / 1_000, ms / 60_000, ms / 3_600_000);
    match ms {
        ..1_000 => format!("{} ms", ms.max(0)),
        1_000..60_000 => format!("{seconds}.{} s", ms % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {} s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{} d {} h", hours / 24, hours % 24),
    }
}

/// An amount of money or points, in groups of three digits.
pub(super) fn amount(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = String::from(if amount < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The end of a resource's name, by which people tell it from others nearby.
pub(super) fn short(name: &str) -> String {
    let id = name.rsplit('/').next().unwrap_or_default();
    let end = id.char_indices().rev().nth(11).map_or(0, |(index, _)| index);
    if end == 0 { id.to_owned() } else { format!("…{}", &id[end..]) }
}

/// A failure in one line.
pub(super) fn failure(failure: &Failure) -> String {
    let parts = [wire::reason(failure), failure.message.as_str()];
    let text: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if text.is_empty() { code(failure.code) } else { text.join(": ") }
}

/// The name of a step's status; also the class of its mark.
pub(super) fn status(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Pending => "pending",
        StepStatus::Skipped => "skipped",
        StepStatus::Running => "running",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Applied => "applied",
        StepStatus::Refused => "refused",
        StepStatus::Uncertain => "uncertain",
        StepStatus::Compensating => "compensating",
        StepStatus::Compensated => "compensated",
    }
}

/// What a state means, for people who do not know the words.
pub(super) fn meaning(state: &State) -> &'static str {
    match state {
        State::Running => "under way, not decided yet",
        State::Completing => "decided: it will complete",
        State::Completed => "every step happened once",
        State::Arbitrating => "is to stop; the arbiter decides whether it still can",
        State::Compensating => "what had an effect is being compensated",
        State::Compensated => "nothing is left of any step",
        State::Suspended(_) => "needs a person",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lengths_read_well() {
        assert_eq!(time(1_700_000_000_000), "2023-11-14 22:13:20.000 UTC");
        assert_eq!(time(1_700_000_000_042), "2023-11-14 22:13:20.042 UTC");
        let lengths: Vec<_> = [-1, 0, 999, 1_250, 61_000, 3_720_000, 90_000_000].into_iter().map(length).collect();
        assert_eq!(lengths, ["0 ms", "0 ms", "999 ms", "1.2 s", "1 min 1 s", "1 h 2 min", "1 d 1 h"]);
    }

    #[test]
    fn amounts_and_names_are_short_enough_to_read() {
        assert_eq!([0, 999, 1_000, -1_234_567].map(amount), ["0", "999", "1,000", "-1,234,567"]);
        assert_eq!(short("customers/00000000-0000-7000-8000-0000000000c1"), "…0000000000c1");
        assert_eq!(
            [short(""), short("a/é"), short("é".repeat(13).as_str())],
            ["", "é", &format!("…{}", "é".repeat(12))]
        );
    }

    #[test]
    fn codes_are_spelt_as_in_contracts() {
        assert_eq!((code(0), code(9), code(16)), ("OK".into(), "FAILED_PRECONDITION".into(), "UNAUTHENTICATED".into()));
    }
}
