//! What the tables of the journal over SQL hold for people and for housekeeping, and no move gives back.

use orchestrator::journal::LEASE;
use saga::{Call, Class, Direction, Fact, Failure, State, StepIndex};
use service_kit::args;
use service_kit::db::Tx;
use uuid::Uuid;

use crate::bench::{Bench, OTHER, OWNER, id, toggle};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Kind, step, direction, attempt, outcome and reason of a line.
type Columns<'a> = (&'a str, Option<i64>, Option<&'a str>, Option<i64>, Option<&'a str>, Option<&'a str>);

#[tokio::test]
async fn the_columns_beside_a_fact_repeat_what_people_ask_for() {
    let bench = Bench::inline().await;
    let record = bench.accepted(1).await;
    let call = Call { step: StepIndex(2), direction: Direction::Compensation, attempt: 7 };
    let answered = |class, reason: Option<&str>| {
        let failure = reason.map(|reason| Failure::new(14, reason, "gone"));
        Fact::Answered { call, class, failure, elapsed_ms: 5 }
    };
    let mut append = toggle(&record);
    append.facts = vec![
        Fact::Skipped(StepIndex(3)),
        Fact::Intended(Call { step: StepIndex(0), direction: Direction::Forward, attempt: 1 }),
        answered(Class::Done, None),
        answered(Class::Refused, Some("POINTS_SHORT")),
        answered(Class::NotExecuted, Some("")),
        answered(Class::InDoubt, None),
        answered(Class::Overloaded, None),
        answered(Class::Pending, None),
        answered(Class::Contract, None),
        answered(Class::Lie, None),
        Fact::Turned { to: State::Compensating, cause: Some(Failure::new(9, "TOO_LATE", "")) },
        Fact::Adopted,
    ];
    bench.append(append).await;
    let back = |outcome, reason| ("answered", Some(2), Some("compensation"), Some(7), Some(outcome), reason);
    let expected: Vec<Columns<'_>> = vec![
        ("skipped", Some(3), None, None, None, None),
        ("intended", Some(0), Some("forward"), Some(1), None, None),
        back("done", None),
        back("refused", Some("POINTS_SHORT")),
        back("not_executed", Some("")),
        back("in_doubt", None),
        back("overloaded", None),
        back("pending", None),
        back("contract", None),
        back("lie", None),
        ("turned", None, None, None, None, Some("TOO_LATE")),
        ("adopted", None, None, None, None, None),
    ];
    const LINES: &str = "select kind, step, direction, attempt, outcome, reason from orchestrator_saga_event \
        where bucket = $1 and saga_id = $2 and version = 2 order by position";
    type Row = (String, Option<i64>, Option<String>, Option<i64>, Option<String>, Option<String>);
    let lines = async |tx: &mut Tx<'_>| tx.fetch_all(LINES, args![tx.bucket(id(1)), id(1)]).await;
    let lines: Result<Vec<Row>, service_kit::db::Error> = bench.db().read(lines).await;
    let lines = lines.unwrap();
    let lines: Vec<Columns<'_>> = lines
        .iter()
        .map(|(kind, step, direction, attempt, outcome, reason)| {
            (&**kind, *step, direction.as_deref(), *attempt, outcome.as_deref(), reason.as_deref())
        })
        .collect();
    assert_eq!(lines, expected);
}

/// The incarnations that have a row, dead or alive.
async fn incarnations(bench: &Bench) -> Vec<Uuid> {
    let all = async |tx: &mut Tx<'_>| tx.fetch_all("select id from orchestrator_incarnation order by id", &[]).await;
    let all: Result<Vec<(Uuid,)>, service_kit::db::Error> = bench.db().read(all).await;
    all.unwrap().into_iter().map(|(id,)| id).collect()
}

#[tokio::test]
async fn an_incarnation_is_forgotten_a_day_after_its_death_and_never_while_it_may_own_something() {
    let bench = Bench::leased().await;
    let dead_ms = i64::try_from(LEASE.as_millis()).unwrap();
    bench.clock.advance(dead_ms + DAY_MS);
    bench.journal.register(OTHER).await.unwrap();
    assert_eq!(incarnations(&bench).await, [OWNER, OTHER], "a day has not passed");
    bench.clock.advance(1);
    let third = Uuid::from_u128(0xC);
    bench.journal.register(third).await.unwrap();
    assert_eq!(incarnations(&bench).await, [OTHER, third]);
}
