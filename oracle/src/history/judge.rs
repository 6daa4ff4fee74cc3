//! Judges a history. Each saga is a register whose versions grow by one writer at a time; reads of it are linearizable exactly
//! if versions never go back in real time (H1), none is from the future (H4), and none is from before an answered start (H3).
//! That takes one sweep over a saga's calls in the order of their times, whatever their number.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::rules::{Broken, Journal, Row};
use super::{Call, History, NOT_FOUND, Outcome, State, What};

/// Most breaks of one rule that are told.
const MOST: usize = 20;

/// An answer about one saga.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    call: &'a Call,
    state: State,
    version: i64,
    returned: u64,
}

/// What is wrong with a history, with the first of each rule: nothing, if all is well. With `rest`, no saga had anything left to
/// do from that moment on, whatever the rest of the history says.
pub fn judge(history: &History, journal: &impl Journal, rest: Option<u64>) -> Vec<Broken> {
    let mut found = Found::default();
    if history.lost > 0 {
        found.add("H0", || format!("{} calls were not recorded: there was no room for them", history.lost));
    }
    let mut sagas: BTreeMap<Uuid, Vec<&Call>> = BTreeMap::new();
    for call in &history.calls {
        malformed(call, &mut found);
        if let Some(saga) = call.saga {
            sagas.entry(saga).or_default().push(call);
        }
    }
    for (saga, calls) in sagas {
        let mut seen: Vec<_> = calls.iter().filter_map(|call| seen(call)).collect();
        seen.sort_by_key(|seen| seen.returned);
        in_real_time(saga, &calls, &seen, &mut found);
        streams(saga, &seen, &mut found);
        decided(saga, &seen, &mut found);
        if !seen.is_empty() {
            against(saga, journal, (&seen, rest), &mut found);
        }
    }
    starts(&history.calls, journal, &mut found);
    found.told()
}

fn seen(call: &Call) -> Option<Seen<'_>> {
    match call.outcome {
        Outcome::Ok { state, version } => Some(Seen { call, state, version, returned: call.returned? }),
        Outcome::Fail { .. } | Outcome::Info { .. } => None,
    }
}

/// H0: a line that cannot be true, whatever the system did.
fn malformed(call: &Call, found: &mut Found) {
    let answered = matches!(call.outcome, Outcome::Ok { .. });
    let problem = match call.returned {
        Some(returned) if returned < call.invoke => "came before it was asked for",
        None if answered => "has an answer and no time of it",
        _ if answered && call.saga.is_none() => "has an answer about no saga",
        _ if matches!(call.outcome, Outcome::Ok { version: ..=0, .. }) => "has a version below 1",
        _ if call.what == What::Start && call.key.is_none() => "is a start without a request id",
        _ => return,
    };
    found.add("H0", || format!("a call of client {} at {} {problem}", call.client, call.invoke));
}

/// H1 and H3: sweeps over the calls by when they were made, and over the answers by when they came.
fn in_real_time(saga: Uuid, calls: &[&Call], seen: &[Seen<'_>], found: &mut Found) {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.invoke);
    let mut newest: Option<&Seen<'_>> = None;
    let mut answers = seen.iter().peekable();
    for call in calls {
        while let Some(answer) = answers.next_if(|answer| answer.returned < call.invoke) {
            if newest.is_none_or(|newest| newest.version < answer.version) {
                newest = Some(answer);
            }
        }
        let Some(before) = newest else { continue };
        match &call.outcome {
            Outcome::Ok { version, .. } if *version < before.version => found.add("H1", || {
                let (asked, came, client) = (call.invoke, before.returned, call.client);
                format!("sagas/{saga}: client {client} asked at {asked} and heard of version {version}, {} came at {came}", before.version)
            }),
            Outcome::Fail { reason } if reason == NOT_FOUND => found.add("H3", || {
                let (asked, came, client) = (call.invoke, before.returned, call.client);
                format!("sagas/{saga}: client {client} asked at {asked} and was told that there is none; version {} came at {came}", before.version)
            }),
            Outcome::Ok { .. } | Outcome::Fail { .. } | Outcome::Info { .. } => {}
        }
    }
}

/// H1 within a stream, whose messages were all asked for at once, and come in order.
fn streams(saga: Uuid, seen: &[Seen<'_>], found: &mut Found) {
    let mut last: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    for seen in seen.iter().filter(|seen| seen.call.what == What::Watch) {
        let stream = (seen.call.client, seen.call.invoke);
        let before = last.insert(stream, seen.version).unwrap_or_default();
        if seen.version < before {
            found.add("H1", || {
                format!("sagas/{saga}: client {} was sent version {} after {before}", stream.0, seen.version)
            });
        }
    }
}

/// H2, whatever the times: versions tell what is later, and what is decided or has ended has one answer for ever.
fn decided(saga: Uuid, seen: &[Seen<'_>], found: &mut Found) {
    let mut by_version: Vec<_> = seen.iter().map(|seen| (seen.version, seen.state)).collect();
    by_version.sort_by_key(|(version, _)| *version);
    let mut verdict: Option<(i64, State)> = None;
    let mut end: Option<(i64, State)> = None;
    for (version, state) in by_version {
        let contradicts_end = end.is_some_and(|end| end != (version, state));
        let reversed = |(_, before): (i64, State)| match state.is_won() {
            Some(won) => before.is_won() != Some(won),
            None => state != State::Suspended,
        };
        if let Some((at, before)) = verdict.filter(|verdict| contradicts_end || reversed(*verdict)) {
            found.add("H2", || format!("sagas/{saga} was {before:?} at version {at}, and {state:?} at {version}"));
        }
        if state.is_won().is_some() && verdict.is_none_or(|(_, before)| !before.is_terminal()) {
            verdict = Some((version, state));
        }
        end = end.or_else(|| state.is_terminal().then_some((version, state)));
    }
}

/// H4, H6 and H7: what was answered, and the row.
fn against(saga: Uuid, journal: &impl Journal, (seen, rest): (&[Seen<'_>], Option<u64>), found: &mut Found) {
    let Some(row) = journal.row(saga) else {
        if !journal.may_be_forgotten(saga) {
            found.add("H6", || {
                format!("sagas/{saga} is not in the journal; client {} was told of it", seen[0].call.client)
            });
        }
        return;
    };
    for seen in seen {
        let at_rest = rest.is_some_and(|rest| rest <= seen.call.invoke);
        if differs(seen, row) || (at_rest && seen.version != row.version) {
            let (client, state, version) = (seen.call.client, seen.state, seen.version);
            found.add("H4", || {
                format!("sagas/{saga} is {row:?}; client {client} was told that it is {state:?} at version {version}")
            });
        }
    }
    if rest.is_some() && !row.state.is_terminal() && row.state != State::Suspended {
        found.add("H7", || format!("sagas/{saga} is still {:?}", row.state));
    }
}

/// Whether an answer cannot be one of a saga that has come to `row`.
fn differs(seen: &Seen<'_>, row: Row) -> bool {
    let (told, stands) = (seen.state, row.state);
    let same_version = seen.version == row.version;
    let is_hidden = [told, stands].contains(&State::Suspended);
    let contradicts = match (told.is_won(), stands.is_won()) {
        (Some(told), Some(stands)) => told != stands,
        (None, None) => false,
        (Some(_), None) => !is_hidden,
        (None, Some(_)) => same_version && !is_hidden,
    };
    seen.version > row.version || contradicts || told.is_terminal() != (same_version && stands.is_terminal())
}

/// H5 and H8: what became of request ids.
fn starts(calls: &[Call], journal: &impl Journal, found: &mut Found) {
    let mut keys: BTreeMap<(&str, &str, Uuid), Vec<&Call>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.what == What::Start) {
        let Some(key) = call.key else { continue };
        keys.entry((&call.kind, &call.subject, key)).or_default().push(call);
    }
    for ((kind, subject, key), calls) in keys {
        let due = journal.id_of(kind, subject, key);
        let mut answered = calls.iter().filter(|call| matches!(call.outcome, Outcome::Ok { .. }));
        let first = due.or_else(|| answered.next().and_then(|call| call.saga));
        for other in answered.filter(|call| call.saga != first) {
            let (got, first) = (other.saga.unwrap_or_default(), first.unwrap_or_default());
            found.add("H5", || {
                format!("{subject} got sagas/{got} for the {kind} of request {key}, which is sagas/{first}")
            });
        }
        let all_refused = calls.iter().all(|call| matches!(call.outcome, Outcome::Fail { .. }));
        let made = due.filter(|due| all_refused && journal.row(*due).is_some());
        if let Some(made) = made {
            found.add("H8", || format!("{subject} was refused the {kind} of request {key}, and there is sagas/{made}"));
        }
    }
}

/// What was found, by rule.
#[derive(Debug, Default)]
struct Found(BTreeMap<&'static str, Vec<String>>);

impl Found {
    fn add(&mut self, rule: &'static str, what: impl FnOnce() -> String) {
        let found = self.0.entry(rule).or_default();
        if found.len() < MOST {
            found.push(what());
        }
    }

    fn told(self) -> Vec<Broken> {
        let rules = self.0.into_iter();
        rules.flat_map(|(rule, found)| found.into_iter().map(move |what| Broken { rule, what })).collect()
    }
}
