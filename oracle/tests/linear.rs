//! The rules for histories against the definition: on short random histories of one saga they find something exactly if there
//! is no order of the calls, true to real time, in which each is answered from the saga as it is at that moment.

use std::collections::BTreeMap;

use fastrand::Rng;
use oracle::history::{Call, History, Outcome, Row, State, What, judge};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(0xa);
const ROUNDS: u64 = 20_000;

/// Calls with random times and answers: mostly such that could be true.
fn history(rng: &mut Rng) -> (History, Row) {
    let last = rng.i64(1..5);
    let calls = rng.usize(1..7);
    let call = |rng: &mut Rng| {
        let invoke = rng.u64(0..20);
        let returned = invoke + rng.u64(0..12);
        // As it was at some moment of the call, now and then at another.
        let moment = if rng.u8(0..8) == 0 { rng.u64(0..32) } else { rng.u64(invoke..=returned) };
        let version = (moment as i64 * last) / 20;
        let outcome = match version {
            ..=0 => Outcome::Fail { reason: oracle::history::NOT_FOUND.into() },
            version => Outcome::Ok { state: State::Running, version },
        };
        let (kind, subject) = (String::new(), String::new());
        let (what, key) = (What::Get, None);
        Call {
            client: rng.u64(..),
            what,
            kind,
            subject,
            key,
            saga: Some(SAGA),
            invoke,
            returned: Some(returned),
            outcome,
        }
    };
    (History { calls: (0..calls).map(|_| call(rng)).collect(), lost: 0 }, Row { state: State::Running, version: last })
}

/// Whether the calls can be put in an order: tries each that real time lets be next.
fn is_linearizable(left: &[&Call], at: i64, last: i64) -> bool {
    if left.is_empty() {
        return true;
    }
    (0..left.len()).any(|next| {
        let call = left[next];
        let is_next = left.iter().all(|other| other.returned >= Some(call.invoke));
        // Versions may grow between two calls, up to the last one.
        let now = match call.outcome {
            Outcome::Ok { version, .. } if (at..=last).contains(&version) => Some(version),
            Outcome::Fail { .. } if at == 0 => Some(0),
            Outcome::Ok { .. } | Outcome::Fail { .. } | Outcome::Info { .. } => None,
        };
        let Some(now) = now.filter(|_| is_next) else { return false };
        let mut rest = left.to_vec();
        rest.remove(next);
        is_linearizable(&rest, now, last)
    })
}

#[test]
fn the_rules_find_something_exactly_if_a_history_is_not_linearizable() {
    let mut counts = [0_u64; 2];
    for seed in 0..ROUNDS {
        let (history, row) = history(&mut Rng::with_seed(seed));
        let expected = is_linearizable(&history.calls.iter().collect::<Vec<_>>(), 0, row.version);
        let found = judge(&history, &BTreeMap::from([(SAGA, row)]), None);
        assert_eq!(found.is_empty(), expected, "seed {seed}: {found:#?} of {history:#?}, {row:?}");
        counts[usize::from(expected)] += 1;
    }
    assert!(counts.iter().all(|count| *count > ROUNDS / 20), "both kinds of histories are among them: {counts:?}");
}
