//! Histories: kept, written, read, and each rule broken once.

use std::collections::BTreeMap;

use oracle::history::{
    Answer, Asked, Call, History, Journal, Outcome, RULES, Recorder, Row, State, What, judge, saga_of,
};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(0xa);
const OTHER: Uuid = Uuid::from_u128(0xb);
const REFUSED: Uuid = Uuid::from_u128(0xc);
const KEY: Uuid = Uuid::from_u128(1);

/// Ids that follow from the request id, and one saga that may have been forgotten.
struct Books(BTreeMap<Uuid, Row>);

impl Journal for Books {
    fn row(&self, saga: Uuid) -> Option<Row> {
        self.0.row(saga)
    }

    fn may_be_forgotten(&self, saga: Uuid) -> bool {
        saga == Uuid::from_u128(0xf)
    }

    fn id_of(&self, _: &str, _: &str, key: Uuid) -> Option<Uuid> {
        Some(if key == KEY { SAGA } else { REFUSED })
    }
}

fn books() -> Books {
    let row = |state, version| Row { state, version };
    Books(BTreeMap::from([(SAGA, row(State::Completed, 9)), (OTHER, row(State::Suspended, 4))]))
}

/// A checkout that completes, while two clients look on; one that is parked; one that is refused; one that went away.
fn history() -> History {
    let recorder = Recorder::new(100);
    let answer = |saga, state, version| Answer { saga, state, version };
    let start = recorder.begin(1, Asked::start("checkout", "customers/a", KEY), 10);
    let looks = recorder.begin(2, Asked::get(SAGA), 12);
    looks.failed(15, 5, "SAGA_NOT_FOUND");
    start.ok(20, answer(SAGA, State::Completing, 6));
    let watch = recorder.begin(1, Asked::watch(SAGA), 21);
    watch.heard(22, answer(SAGA, State::Completing, 7));
    watch.heard(30, answer(SAGA, State::Completed, 9));
    watch.ended();
    recorder.begin(2, Asked::get(SAGA), 25).ok(31, answer(SAGA, State::Completing, 8));
    recorder.begin(2, Asked::get(OTHER), 40).ok(41, answer(OTHER, State::Suspended, 4));
    recorder.begin(3, Asked::start("checkout", "customers/a", Uuid::from_u128(2)), 50).failed(51, 9, "HOLD_EXPIRED");
    drop(recorder.begin(4, Asked::start("checkout", "customers/a", KEY), 60));
    recorder.begin(2, Asked::get(SAGA), 70).ok(71, answer(SAGA, State::Completed, 9));
    recorder.begin(5, Asked::cancel(SAGA), 80).failed(81, 14, "");
    recorder.take()
}

#[test]
fn a_history_that_can_be_true_breaks_no_rule() {
    assert_eq!(judge(&history(), &books(), Some(70)), []);
}

#[test]
fn a_history_is_read_as_it_was_written() {
    let mut text = Vec::new();
    history().write(&mut text).unwrap();
    assert_eq!(History::read(text.as_slice()).unwrap(), history());
    let text = String::from_utf8(text).unwrap();
    let expected = r#"{"client":1,"what":"start","kind":"checkout","subject":"customers/a","key":"00000000-0000-0000-0000-000000000001","saga":"00000000-0000-0000-0000-00000000000a","invoke":10,"return":20,"outcome":"ok","state":"COMPLETING","version":6}"#;
    assert!(text.lines().any(|line| line == expected), "{text}");
    let error = History::read("\n{\"client\":1}\n".as_bytes()).unwrap_err();
    assert!(error.to_string().starts_with("line 2: "), "{error}");
    let spelled = expected.replace("COMPLETING", "FAILED");
    let read = History::read(spelled.as_bytes()).unwrap();
    assert_eq!(read.calls[0].outcome, Outcome::Ok { state: State::Compensated, version: 6 });
}

#[test]
fn a_call_whose_client_went_away_and_one_without_an_answer_are_unknown() {
    let calls = history().calls;
    let unknown = |call: &&Call| matches!(call.outcome, Outcome::Info { .. });
    let unknown: Vec<_> = calls.iter().filter(unknown).map(|call| (call.what, call.returned)).collect();
    assert_eq!(unknown, [(What::Start, None), (What::Cancel, Some(81))]);
}

#[test]
fn only_what_is_refused_before_anything_is_done_counts_as_refused() {
    let is_fail = |what, code, reason| matches!(Outcome::of_error(what, code, reason), Outcome::Fail { .. });
    for code in 1..=16 {
        assert_eq!(is_fail(What::Start, code, ""), [3, 7, 9].contains(&code), "code {code}");
        assert_eq!(is_fail(What::Get, code, ""), [3, 5, 7, 9].contains(&code), "code {code}");
    }
    assert!(is_fail(What::Start, 8, "OVERLOADED"), "refused at the door");
}

#[test]
fn what_there_is_no_room_for_is_counted_and_makes_the_history_no_proof() {
    let recorder = Recorder::new(2);
    for number in 0..5 {
        recorder.clone().begin(1, Asked::get(OTHER), number).failed(number, 14, "");
    }
    let history = recorder.take();
    assert_eq!((history.calls.len(), history.lost), (2, 3));
    assert_eq!(rules(&history, &books(), None), ["H0"]);
    assert_eq!(recorder.take(), History::default());
}

#[test]
fn resources_have_the_id_of_their_saga() {
    assert_eq!(saga_of(&format!("checkouts/{SAGA}")), Some(SAGA));
    assert_eq!(saga_of("checkouts/none"), None);
}

fn rules(history: &History, books: &Books, rest: Option<u64>) -> Vec<&'static str> {
    let mut rules: Vec<_> = judge(history, books, rest).into_iter().map(|broken| broken.rule).collect();
    rules.dedup();
    rules
}

/// The one answer that says this.
fn of(calls: &mut [Call], saga: Uuid, version: i64) -> &mut Call {
    let says = |call: &&mut Call| matches!(call.outcome, Outcome::Ok { version: said, .. } if said == version);
    calls.iter_mut().filter(|call| call.saga == Some(saga)).find(says).expect("it was answered")
}

type Lie = fn(&mut Vec<Call>, &mut Books);

/// What breaks which rules, and no others.
const LIES: &[(&str, &str, Lie)] = &[
    ("H0", "an answer comes before it was asked for", |calls, _| calls[1].invoke = 99),
    ("H0", "an answer without a saga", |calls, _| of(calls, OTHER, 4).saga = None),
    ("H0", "an answer without a time", |calls, _| of(calls, OTHER, 4).returned = None),
    ("H0", "a start without a key", |calls, _| of(calls, SAGA, 6).key = None),
    ("H1", "a stale read", |calls, _| {
        of(calls, SAGA, 8).invoke = 31;
        of(calls, SAGA, 8).returned = Some(32);
    }),
    ("H1", "a stream that goes back", |calls, _| {
        of(calls, SAGA, 7).returned = Some(30);
        of(calls, SAGA, 9).returned = Some(29);
    }),
    ("H2", "bought, then failed", |calls, books| {
        of(calls, SAGA, 9).outcome = Outcome::Ok { state: State::Compensated, version: 9 };
        let last = calls.iter().position(|call| call.invoke == 70).expect("it is there");
        calls.remove(last);
        books.0.insert(SAGA, Row { state: State::Compensated, version: 9 });
    }),
    ("H2", "bought, then undecided", |calls, _| {
        of(calls, SAGA, 8).outcome = Outcome::Ok { state: State::Running, version: 8 };
    }),
    ("H2", "something after the end", |calls, books| {
        of(calls, SAGA, 8).outcome = Outcome::Ok { state: State::Completed, version: 8 };
        books.0.insert(SAGA, Row { state: State::Completed, version: 9 });
    }),
    ("H3", "there is none, once somebody was told of it", |calls, _| {
        let looked = calls.iter_mut().find(|call| call.invoke == 12).expect("it is there");
        (looked.invoke, looked.returned) = (21, Some(22));
    }),
    ("H4", "a version from the future", |_, books| {
        books.0.insert(OTHER, Row { state: State::Suspended, version: 3 });
    }),
    ("H4", "the journal was cut off", |_, books| {
        books.0.insert(SAGA, Row { state: State::Completing, version: 8 });
    }),
    ("H4", "the journal turned the end round", |_, books| {
        books.0.insert(SAGA, Row { state: State::Compensated, version: 9 });
    }),
    ("H4", "an answer at rest that is behind", |calls, _| {
        let mut late = of(calls, OTHER, 4).clone();
        late.outcome = Outcome::Ok { state: State::Running, version: 3 };
        (late.invoke, late.returned) = (75, Some(76));
        calls.retain(|call| call.saga != Some(OTHER));
        calls.push(late);
    }),
    ("H5", "two sagas for one request", |calls, _| {
        let mut twin = of(calls, SAGA, 6).clone();
        twin.saga = Some(OTHER);
        twin.outcome = Outcome::Ok { state: State::Running, version: 1 };
        calls.push(twin);
    }),
    ("H5", "another saga than the request's", |calls, _| {
        of(calls, SAGA, 6).key = Some(Uuid::from_u128(7));
    }),
    ("H6", "a lost saga", |_, books| books.0.retain(|saga, _| *saga != OTHER)),
    ("H7", "a saga that nobody drives", |_, books| {
        books.0.insert(OTHER, Row { state: State::Running, version: 4 });
    }),
    ("H8", "refused and begun", |_, books| {
        books.0.insert(REFUSED, Row { state: State::Completed, version: 9 });
    }),
];

#[test]
fn each_lie_breaks_its_rule_and_every_rule_is_broken_by_one() {
    for (rule, lie, tell) in LIES {
        let (mut history, mut books) = (history(), books());
        tell(&mut history.calls, &mut books);
        let found = judge(&history, &books, Some(70));
        assert!(found.iter().any(|broken| broken.rule == *rule), "{lie} should break {rule}: {found:#?}");
    }
    for (rule, text) in RULES {
        assert!(LIES.iter().any(|(broken, ..)| broken == rule), "nothing breaks {rule}: {text}");
    }
}

#[test]
fn a_saga_that_may_be_forgotten_is_not_missed() {
    let mut history = history();
    of(&mut history.calls, OTHER, 4).saga = Some(Uuid::from_u128(0xf));
    assert_eq!(judge(&history, &books(), Some(70)), []);
}

/// 100,000 calls about one saga take one sweep, not one for each: a search over pairs would not come to an end here.
#[test]
fn many_calls_about_one_saga_are_judged_in_one_sweep() {
    let call = |number: u64| Call {
        client: number % 50,
        what: What::Get,
        kind: String::new(),
        subject: String::new(),
        key: None,
        saga: Some(SAGA),
        invoke: number,
        returned: Some(number + 40),
        outcome: Outcome::Ok { state: State::Running, version: 1 + number as i64 },
    };
    let mut history = History { calls: (0..100_000).rev().map(call).collect(), lost: 0 };
    let books = Books(BTreeMap::from([(SAGA, Row { state: State::Running, version: 100_000 })]));
    assert_eq!(judge(&history, &books, None), []);
    history.calls[10].outcome = Outcome::Ok { state: State::Running, version: 1 };
    assert_eq!(rules(&history, &books, None), ["H1"]);
}
