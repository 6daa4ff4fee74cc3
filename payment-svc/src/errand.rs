//! What the processor is to be asked, and how long one waits before it is asked again. Pure.

use uuid::Uuid;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To hold the money.
    Authorize = 1,
    /// To take what it holds.
    Capture = 2,
    /// To hold nothing, now and ever.
    Void = 3,
    /// To give back.
    Refund = 4,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Authorize, Self::Capture, Self::Void, Self::Refund];
}

/// Why the processor has not settled it yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It cannot be reached, or its answer was lost.
    Unavailable,
    /// It says no to what may not be refused any more.
    Declined,
    /// What it says cannot be.
    Contradiction,
}

impl Problem {
    const ALL: [Self; 3] = [Self::Unavailable, Self::Declined, Self::Contradiction];

    /// As it is stored and told.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Unavailable => "PROCESSOR_UNAVAILABLE",
            Self::Declined => "PAYMENT_DECLINED",
            Self::Contradiction => "PROCESSOR_CONTRADICTION",
        }
    }

    /// The problem that is stored so; there may be none.
    pub(crate) fn named(reason: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|problem| problem.reason() == reason)
    }
}

/// One thing to ask, about a payment or a refund of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) payment: Uuid,
    /// The payment's id again, or the refund's.
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    /// This one included.
    pub(crate) attempts: i64,
}

/// The longest wait: an outage of hours costs a request a minute.
const LONGEST_MS: i64 = 60_000;

/// How long one waits after so many attempts.
pub(crate) fn backoff_ms(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 7) - 1).unwrap_or_default();
    (1_000 << doublings).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_a_minute() {
        let waits = [i64::MIN, 0, 1, 2, 3, 6, 7, 8, i64::MAX].map(backoff_ms);
        assert_eq!(waits, [1_000, 1_000, 1_000, 2_000, 4_000, 32_000, 60_000, 60_000, 60_000]);
    }
}
