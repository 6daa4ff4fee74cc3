//! Edits of what clients really saw, each with the rule that it breaks.

use oracle::history::{Call, History, Outcome, State, What};
use uuid::Uuid;

type Lie = fn(&mut History);

/// What is told, and the rule that finds it.
pub(crate) const LIES: &[(&str, &str, Lie)] = &[
    ("H0", "calls that were not recorded", |history| history.lost = 1),
    ("H0", "an answer without a time", |history| answered(history).returned = None),
    ("H1", "a stale read", |history| {
        let last = history.calls.iter().filter_map(|call| call.returned).max().unwrap_or_default();
        let mut stale = answered(history).clone();
        stale.outcome = Outcome::Ok { state: State::Running, version: 1 };
        (stale.what, stale.invoke, stale.returned) = (What::Get, last + 1, Some(last + 2));
        history.calls.push(stale);
    }),
    ("H1", "a stream that goes back", |history| {
        let heard: Vec<_> = (0..history.calls.len()).filter(|at| history.calls[*at].what == What::Watch).collect();
        let (first, last) = (heard[0], heard[heard.len() - 1]);
        let outcome = history.calls[first].outcome.clone();
        history.calls[first].outcome = history.calls[last].outcome.clone();
        history.calls[last].outcome = outcome;
    }),
    ("H2", "bought, and then failed", |history| {
        let last = history.calls.iter().filter_map(|call| call.returned).max().unwrap_or_default();
        let mut failed = answered(history).clone();
        let Outcome::Ok { version, .. } = failed.outcome else { return };
        failed.outcome = Outcome::Ok { state: State::Compensated, version };
        (failed.invoke, failed.returned) = (last + 1, Some(last + 2));
        history.calls.push(failed);
    }),
    ("H3", "there is none, after it was accepted", |history| {
        let last = history.calls.iter().filter_map(|call| call.returned).max().unwrap_or_default();
        let mut gone = answered(history).clone();
        gone.outcome = Outcome::Fail { reason: oracle::history::NOT_FOUND.into() };
        (gone.what, gone.invoke, gone.returned) = (What::Get, last + 1, Some(last + 2));
        history.calls.push(gone);
    }),
    ("H4", "a version that the journal has not", |history| {
        let call = answered(history);
        let Outcome::Ok { state, version } = call.outcome else { return };
        call.outcome = Outcome::Ok { state, version: version + 100 };
    }),
    ("H5", "two sagas for one request", |history| {
        let other = history.calls.iter().rev().find_map(|call| call.saga).unwrap_or_default();
        let mut twin = answered(history).clone();
        twin.saga = Some(other);
        history.calls.push(twin);
    }),
    ("H6", "an accepted saga that is not in the journal", |history| {
        answered(history).saga = Some(Uuid::from_u128(0xbad));
    }),
    ("H8", "refused, and begun all the same", |history| {
        let key = answered(history).key;
        for call in history.calls.iter_mut().filter(|call| call.key == key) {
            call.outcome = Outcome::Fail { reason: "HOLD_EXPIRED".into() };
        }
    }),
];

/// The answer to the last order that was answered.
fn answered(history: &mut History) -> &mut Call {
    let is_it = |call: &&mut Call| call.what == What::Start && matches!(call.outcome, Outcome::Ok { .. });
    history.calls.iter_mut().filter(|call| call.saga.is_some()).find(is_it).expect("some order was accepted")
}
