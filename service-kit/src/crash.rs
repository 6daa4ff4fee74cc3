//! Named points in the code at which a test has the process die, as if its power were cut just there. A build without the
//! feature `crash-points` has none of them, and no switch.
//!
//! Which of them a test reaches, and what must hold afterwards, is the test's affair.

/// Every point there is. A name that is not listed does not compile.
pub const POINTS: &[&str] = &[
    "accept.before_journal",
    "accept.after_journal",
    "accept.before_reply",
    "journal.before_intent",
    "journal.after_intent",
    "journal.before_result",
    "journal.after_result",
    "journal.before_turn",
    "journal.after_turn",
    "journal.before_end",
    "journal.after_end",
    "journal.beside_row",
    "rpc.before_send",
    "rpc.after_reply",
    "verb.before_write",
    "verb.after_write",
    "adopt.before_write",
    "adopt.after_write",
    "lease.before_register",
    "lease.after_register",
    "lease.before_renew",
    "lease.after_renew",
    "lease.before_release",
    "lease.after_release",
    "status.before_reply",
    "fan_out.before_cancel",
    "fan_out.after_cancel",
    "bulk.after_claim",
    "bulk.before_note",
    "bulk.after_note",
    "bulk.before_settle",
    "bulk.before_end",
    "bulk.after_end",
    "archive.before_notice",
    "archive.before_write",
    "archive.after_write",
    "notice.before_write",
    "notice.after_write",
    "barrier.before_transaction",
    "barrier.after_effect",
    "barrier.after_row",
    "barrier.after_tombstone",
    "barrier.after_commit",
    "request.after_effect",
    "request.after_row",
    "errand.before_ask",
    "errand.before_write",
    "errand.after_write",
    "room.before_tick",
    "room.in_tick",
    "room.after_tick",
    "ledger.before_keep",
    "ledger.after_keep",
    "relay.before_offer",
    "relay.before_mark",
    "relay.after_mark",
    "lane.before_settle",
    "lane.after_settle",
    "delivery.before_intake",
    "delivery.after_intake",
    "delivery.before_send",
    "delivery.before_settle",
    "delivery.after_settle",
    "migrate.before_step",
    "migrate.before_note",
    "sqlite.before_commit",
    "sqlite.after_commit",
    "postgres.before_commit",
    "postgres.after_commit",
];

/// Dies here if a test has asked for that: `crash_point!("name")`, or with the step and the direction that the process is
/// about, so that a test can choose among the passages.
#[cfg(feature = "crash-points")]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash_point!($name, "", "")
    };
    ($name:literal, $step:expr, $direction:expr) => {{
        const { assert!($crate::crash::is_listed($name), "the point is not listed in crash::POINTS") }
        $crate::crash::pass($name, $step, $direction);
    }};
}

/// Nothing, in this build.
#[cfg(not(feature = "crash-points"))]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        const { assert!($crate::crash::is_listed($name), "the point is not listed in crash::POINTS") }
    };
    ($name:literal, $step:expr, $direction:expr) => {{
        $crate::crash_point!($name);
        // Named, so that it does not count as unused; never evaluated.
        if false {
            let _: (&str, &str) = ($step, $direction);
        }
    }};
}

/// Whether [`POINTS`] has that name.
pub const fn is_listed(name: &str) -> bool {
    let mut at = 0;
    while at < POINTS.len() {
        if equal(POINTS[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// The step's name, kept for a point beyond the end of what owns it.
#[cfg(not(feature = "crash-points"))]
pub const fn label(_step: &str) -> &'static str {
    ""
}

/// Does not wait.
#[cfg(not(feature = "crash-points"))]
pub async fn breathe() {}

#[cfg(feature = "crash-points")]
pub use armed::{VARIABLE, arm, breathe, breathes, label, pass};

#[cfg(feature = "crash-points")]
mod armed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_point_is_listed_once() {
        let once: std::collections::BTreeSet<_> = POINTS.iter().collect();
        assert_eq!(once.len(), POINTS.len());
        assert!(is_listed("rpc.before_send") && !is_listed("rpc.before_sen") && !is_listed("rpc.before_senD"));
    }
}
