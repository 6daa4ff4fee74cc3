//! All combinations: every point, with every step and direction that passes it, in a story that brings that about.

use crate::matrix::Engine;
use crate::stories::{Kind, Story, Turn};

/// One death.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Case {
    /// As [`service_kit::crash::arm`] reads it.
    pub(crate) point: String,
    pub(crate) story: Story,
    /// The only engine that has the point, if it is only one.
    pub(crate) only: Option<Engine>,
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

/// Points beside the course of a saga: which passage of them, in which story.
const BESIDE: &[(&str, Story)] = &[
    ("adopt.before_write", Story::Begins),
    ("adopt.after_write", Story::Begins),
    ("lease.before_register", Story::Begins),
    ("lease.after_register", Story::Begins),
    ("lease.before_release", Story::Ends),
    ("lease.after_release", Story::Ends),
    ("migrate.before_step", Story::BeginsAnew),
    ("migrate.before_step#7", Story::BeginsAnew),
    ("migrate.before_step#40", Story::BeginsAnew),
    ("migrate.before_note", Story::BeginsAnew),
    ("migrate.before_note#20", Story::BeginsAnew),
    ("migrate.before_note#70", Story::BeginsAnew),
    ("status.before_reply", Story::Looks),
    ("request.after_effect", Story::Requests),
    ("request.after_effect#2", Story::Requests),
    ("request.after_row", Story::Requests),
    ("request.after_row#2", Story::Requests),
    ("room.before_tick", Story::Queues),
    ("room.in_tick", Story::Queues),
    ("room.after_tick", Story::Queues),
    ("ledger.before_keep", Story::Books),
    ("ledger.after_keep", Story::Books),
    ("relay.before_offer", Story::Notices),
    ("relay.before_mark", Story::Notices),
    ("relay.before_mark#2", Story::Notices),
    ("relay.after_mark", Story::Notices),
    ("lane.before_settle", Story::Unheard),
    ("lane.after_settle", Story::Unheard),
    ("delivery.before_intake", Story::Notices),
    ("delivery.after_intake", Story::Notices),
    ("delivery.before_send@KAKAO_ALIMTALK", Story::Notices),
    ("delivery.before_send@DATA_PLATFORM", Story::Notices),
    ("delivery.before_settle@KAKAO_ALIMTALK", Story::Notices),
    ("delivery.before_settle@DATA_PLATFORM", Story::Notices),
    ("delivery.after_settle@KAKAO_ALIMTALK", Story::Notices),
    ("delivery.after_settle@DATA_PLATFORM", Story::Notices),
    ("fan_out.before_cancel", Story::Struck),
    ("fan_out.after_cancel", Story::Struck),
    ("bulk.after_claim", Story::Bulk),
    ("bulk.before_note", Story::Bulk),
    ("bulk.after_note", Story::Bulk),
    ("bulk.before_settle", Story::Bulk),
    ("bulk.before_settle#2", Story::Bulk),
    ("bulk.before_end", Story::Bulk),
    ("bulk.after_end", Story::Bulk),
    ("archive.before_notice", Story::Archived),
    ("archive.before_write", Story::Archived),
    ("archive.after_write", Story::Archived),
    ("notice.before_write", Story::Archived),
    ("notice.before_write#2", Story::Archived),
    ("notice.after_write", Story::Archived),
    ("notice.after_write#2", Story::Archived),
    ("errand.before_ask", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.before_ask#2", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.before_ask#2", Story::Saga(Kind::Charge, Turn::Refused)),
    ("errand.before_write", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.before_write#2", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.before_write#2", Story::Saga(Kind::Charge, Turn::Refused)),
    ("errand.after_write", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.after_write#2", Story::Saga(Kind::Charge, Turn::Completes)),
    ("errand.after_write#2", Story::Saga(Kind::Charge, Turn::Refused)),
];

/// All of them, in an order that means nothing.
pub(crate) fn all() -> Vec<Case> {
    let calls = [forward(), compensated(), arbitrated(), turned()].concat();
    let beside = BESIDE.iter().map(|(point, story)| case((*point).to_owned(), *story));
    let commits = [
        ("sqlite.before_commit", Engine::Sqlite),
        ("sqlite.after_commit", Engine::Sqlite),
        ("postgres.before_commit", Engine::Postgres),
        ("postgres.after_commit", Engine::Postgres),
    ];
    let commits = commits.into_iter().flat_map(|(point, engine)| {
        let passage = move |passage| (format!("{point}#{passage}"), Turn::Completes, engine);
        [1, 2, 4, 6].map(passage)
    });
    let leases = ["lease.before_renew", "lease.after_renew"];
    let leases = leases.into_iter().map(|point| (point.to_owned(), Turn::Completes, Engine::Postgres));
    let of_engines = commits.chain(leases).map(|(point, turn, engine)| {
        let story = Story::Saga(Kind::Checkout, turn);
        Case { point, story, only: Some(engine) }
    });
    calls.into_iter().chain(beside).chain(of_engines).collect()
}

fn case(point: String, story: Story) -> Case {
    Case { point, story, only: None }
}

fn forward() -> Vec<Case> {
    let mut all = Vec::new();
    for (kind, steps) in FORWARD {
        for (step, name) in each(steps, OF_CALLS.iter().chain(&OF_EFFECTS)) {
            all.push(case(format!("{name}@{step}/forward"), Story::Saga(kind, Turn::Completes)));
        }
    }
    all
}

fn compensated() -> Vec<Case> {
    let mut all = Vec::new();
    for (kind, steps) in COMPENSATED {
        for (step, name) in each(steps, OF_CALLS.iter().chain(&OF_EFFECTS)) {
            all.push(case(format!("{name}@{step}/compensation"), Story::Saga(kind, Turn::Refused)));
        }
    }
    for (kind, method, step) in BARRED {
        let story = Story::Saga(kind, Turn::StoppedAt(method));
        all.push(case(format!("barrier.after_tombstone@{step}/compensation"), story));
    }
    all
}

fn arbitrated() -> Vec<Case> {
    let mut all = Vec::new();
    for (kind, pivot, step) in ARBITERS {
        let (won, lost) = (Turn::StoppedAt(pivot), Turn::StoppedTooLate);
        for name in OF_CALLS.iter().chain(&OF_EFFECTS) {
            all.push(case(format!("{name}@{step}/compensation"), Story::Saga(kind, won)));
        }
        // An arbiter that loses has no effect.
        for name in OF_CALLS {
            all.push(case(format!("{name}@{step}/compensation"), Story::Saga(kind, lost)));
        }
        all.push(case("verb.before_write".into(), Story::Saga(kind, won)));
        all.push(case("verb.after_write".into(), Story::Saga(kind, won)));
    }
    all
}

fn turned() -> Vec<Case> {
    let mut all = Vec::new();
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
            all.push(case(format!("journal.before_turn@{state}/{name}"), Story::Saga(kind, turn)));
            all.push(case(format!("journal.after_turn@{state}/{name}"), Story::Saga(kind, turn)));
        }
        for (state, turn) in [("completed", Turn::Completes), ("compensated", Turn::Refused)] {
            all.push(case(format!("journal.before_end@{state}/{name}"), Story::Saga(kind, turn)));
            all.push(case(format!("journal.after_end@{state}/{name}"), Story::Saga(kind, turn)));
        }
        let accepted = ["accept.before_journal", "accept.after_journal", "accept.before_reply"].map(str::to_owned);
        let beside = (1..=4).map(|passage| format!("journal.beside_row#{passage}"));
        all.extend(accepted.into_iter().chain(beside).map(|point| case(point, Story::Saga(kind, Turn::Completes))));
    }
    all
}

/// Every pair.
fn each<'a, T: Copy>(
    steps: &'a [&'static str],
    names: impl Iterator<Item = T> + Clone + 'a,
) -> impl Iterator<Item = (&'static str, T)> + 'a {
    steps.iter().flat_map(move |step| names.clone().map(move |name| (*step, name)))
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
