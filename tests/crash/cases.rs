//! All combinations: every point, with every step and direction that passes it, in a story that brings that about.

use crate::stories::{Kind, Story, Turn};

/// One death.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// As [`service_kit::crash::arm`] reads it.
    pub(crate) point: String,
    pub(crate) story: Story,
}

impl Case {
    /// The point's name alone.
    pub(crate) fn name(&self) -> &str {
        self.point.split(['@', '#']).next().unwrap_or_default()
    }
}

/// Points that every call of the orchestrator passes.
const OF_CALLS: [&str; 8] = [
    "journal.before_intent",
    "journal.after_intent",
    "rpc.before_send",
    "barrier.before_transaction",
    "barrier.after_commit",
    "rpc.after_reply",
    "journal.before_result",
    "journal.after_result",
];
/// Points of every call that has an effect.
const OF_EFFECTS: [&str; 2] = ["barrier.after_effect", "barrier.after_row"];

/// Steps that happen in the stories that complete.
const FORWARD: [(Kind, &[&str]); 3] = [
    (
        Kind::Checkout,
        &[
            "lock-reservation",
            "reserve-points",
            "authorize-payment",
            "confirm-reservation",
            "capture-points",
            "capture-payment",
            "complete-token",
        ],
    ),
    (
        Kind::Cancellation,
        &["begin-cancellation", "create-refund", "commit-cancellation", "credit-points", "complete-refund"],
    ),
    (Kind::Charge, &["authorize-payment", "capture-payment", "credit-points"]),
];

/// Steps that are compensated when the pivot is refused.
const COMPENSATED: [(Kind, &[&str]); 3] = [
    (Kind::Checkout, &["lock-reservation", "reserve-points", "authorize-payment"]),
    (Kind::Cancellation, &["begin-cancellation", "create-refund"]),
    (Kind::Charge, &["authorize-payment"]),
];

/// The pivot, and the step whose compensation is its arbiter.
const ARBITERS: [(Kind, &str, &str); 3] = [
    (Kind::Checkout, "ConfirmReservation", "lock-reservation"),
    (Kind::Cancellation, "CommitReservationCancellation", "begin-cancellation"),
    (Kind::Charge, "CapturePayment", "authorize-payment"),
];

/// Calls that are taken back before they have arrived.
const BARRED: [(Kind, &str, &str); 6] = [
    (Kind::Checkout, "LockReservation", "lock-reservation"),
    (Kind::Checkout, "ReservePoints", "reserve-points"),
    (Kind::Checkout, "AuthorizePayment", "authorize-payment"),
    (Kind::Cancellation, "BeginReservationCancellation", "begin-cancellation"),
    (Kind::Cancellation, "CreateRefund", "create-refund"),
    (Kind::Charge, "AuthorizePayment", "authorize-payment"),
];

/// The names of kinds in the journal.
const KINDS: [(Kind, &str, &str); 3] = [
    (Kind::Checkout, "checkout", "ConfirmReservation"),
    (Kind::Cancellation, "cancellation", "CommitReservationCancellation"),
    (Kind::Charge, "pointCharge", "CapturePayment"),
];

/// All of them, in an order that means nothing.
pub(crate) fn all() -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |point: String, story| all.push(Case { point, story });
    for (kind, steps) in FORWARD {
        for step in steps {
            for name in OF_CALLS.iter().chain(&OF_EFFECTS) {
                add(format!("{name}@{step}/forward"), (kind, Turn::Completes));
            }
        }
    }
    for (kind, steps) in COMPENSATED {
        for step in steps {
            for name in OF_CALLS.iter().chain(&OF_EFFECTS) {
                add(format!("{name}@{step}/compensation"), (kind, Turn::Refused));
            }
        }
    }
    for (kind, pivot, step) in ARBITERS {
        for name in OF_CALLS {
            add(format!("{name}@{step}/compensation"), (kind, Turn::StoppedAt(pivot)));
            add(format!("{name}@{step}/compensation"), (kind, Turn::StoppedTooLate));
        }
        for name in OF_EFFECTS {
            add(format!("{name}@{step}/compensation"), (kind, Turn::StoppedAt(pivot)));
        }
    }
    for (kind, method, step) in BARRED {
        add(format!("barrier.after_tombstone@{step}/compensation"), (kind, Turn::StoppedAt(method)));
    }
    for (kind, name, pivot) in KINDS {
        let turns = [
            ("completing", Turn::Completes),
            ("completed", Turn::Completes),
            ("compensating", Turn::Refused),
            ("compensated", Turn::Refused),
            ("arbitrating", Turn::StoppedAt(pivot)),
            ("compensating", Turn::StoppedAt(pivot)),
            ("completing", Turn::StoppedTooLate),
        ];
        for (state, turn) in turns {
            add(format!("journal.before_turn@{state}/{name}"), (kind, turn));
            add(format!("journal.after_turn@{state}/{name}"), (kind, turn));
        }
        for (state, turn) in [("completed", Turn::Completes), ("compensated", Turn::Refused)] {
            add(format!("journal.before_end@{state}/{name}"), (kind, turn));
            add(format!("journal.after_end@{state}/{name}"), (kind, turn));
        }
        for point in ["accept.before_journal", "accept.after_journal", "accept.before_reply"] {
            add(point.to_owned(), (kind, Turn::Completes));
        }
        for passage in 1..=4 {
            add(format!("journal.beside_row#{passage}"), (kind, Turn::Completes));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_cases_reach_every_point_and_no_other() {
        let cases = all();
        let reached: BTreeSet<_> = cases.iter().map(Case::name).collect();
        let listed: BTreeSet<_> = service_kit::crash::POINTS.iter().copied().collect();
        assert_eq!(reached, listed);
        let once: BTreeSet<_> = cases.iter().map(|case| format!("{case:?}")).collect();
        assert_eq!(once.len(), cases.len(), "some case is there twice");
    }
}
