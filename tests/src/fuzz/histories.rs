//! Histories of clients, a line a call, as `skald verify` reads them from whoever kept them: what is read is the same after it
//! was written, and whatever it says can be judged.

use std::collections::BTreeMap;

use oracle::history::{Answer, Asked, Call, History, Outcome, RULES, Recorder, Row, State, judge};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(0xA);
const OTHER: Uuid = Uuid::from_u128(0xB);

pub(super) fn run(data: &[u8]) {
    let Ok(history) = History::read(data) else { return };
    let mut lines = Vec::new();
    history.write(&mut lines).unwrap();
    assert_eq!(History::read(&lines[..]).unwrap(), history);
    // The journal has every saga as the last line about it says, or none at all.
    let journal: BTreeMap<_, _> = history.calls.iter().filter_map(row).collect();
    let rest = history.calls.last().map(|call| call.invoke);
    for broken in judge(&history, &journal, rest).iter().chain(&judge(&history, &BTreeMap::new(), None)) {
        assert!(RULES.iter().any(|(rule, _)| *rule == broken.rule), "{broken:?} is no rule");
    }
}

fn row(call: &Call) -> Option<(Uuid, Row)> {
    match call.outcome {
        Outcome::Ok { state, version } => Some((call.saga?, Row { state, version })),
        Outcome::Fail { .. } | Outcome::Info { .. } => None,
    }
}

/// A line of each kind, and the whole story that they make.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let recorder = Recorder::new(20);
    let answer = |saga, state, version| Answer { saga, state, version };
    let start = |key| Asked::start("checkout", "customers/1", Uuid::from_u128(key));
    recorder.begin(1, start(1), 10).ok(20, answer(SAGA, State::Completing, 6));
    recorder.begin(2, Asked::get(SAGA), 12).failed(15, 5, "SAGA_NOT_FOUND");
    let watch = recorder.begin(1, Asked::watch(SAGA), 21);
    watch.heard(22, answer(SAGA, State::Completing, 7));
    watch.heard(30, answer(SAGA, State::Completed, 9));
    watch.ended();
    recorder.begin(3, start(2), 50).failed(51, 9, "HOLD_EXPIRED");
    drop(recorder.begin(4, start(1), 60));
    recorder.begin(5, Asked::cancel(OTHER), 80).failed(81, 14, "");
    recorder.begin(5, Asked::get(OTHER), 82).ok(83, answer(OTHER, State::Compensated, 9));
    let mut whole = Vec::new();
    recorder.take().write(&mut whole).unwrap();
    let lines = whole.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec);
    lines.chain([whole.clone()]).collect()
}
