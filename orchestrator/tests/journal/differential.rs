//! Random moves, right and wrong ones, on the journal in memory and on the one over SQL, whichever engine that is on: same
//! answers, same contents.

use std::sync::Arc;

use orchestrator::exposure::{Exposure, Held};
use orchestrator::journal::{Append, Error, Journal, Orphans, Query, Record};
use service_kit::db;
use uuid::Uuid;

use crate::bench::{Bench, OWNER, announcing, end, id, new, toggle};

const SEEDS: u64 = 40;
const MOVES: usize = 300;
const SAGAS: u128 = 12;
/// Two of them outlast a lease.
const LONGEST_WAIT_MS: i64 = 4_000;

#[tokio::test]
async fn both_journals_answer_alike() {
    // Over a network each move takes longer.
    let seeds = if testbed::Engine::named() == testbed::Engine::Postgres { SEEDS / 5 } else { SEEDS };
    for seed in 0..seeds {
        let sql = Bench::inline().await;
        let memory = sql.model().await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut lives = 1;
        for step in 0..MOVES {
            let next = throw((&mut dice, &mut lives), &memory).await;
            let answers = (play(&memory, &next).await, play(&sql, &next).await);
            assert_eq!(answers.0, answers.1, "seed {seed}, move {step}: {next:?}");
        }
        assert_eq!(memory.events().await, sql.events().await, "seed {seed}");
    }
}

#[derive(Debug)]
enum Move {
    Register(Uuid),
    Renew(Uuid),
    Release(Uuid),
    IsEldest(Uuid),
    Wait(i64),
    Accept(Append),
    Append(Append),
    Adopt(Uuid, Orphans),
    Load(Uuid),
    List(Query),
    History(Uuid, (i64, i64), usize),
    Owned(Uuid, Option<Uuid>, usize),
    Statistics(i64),
}

/// The next move; what stands now makes it often a sensible one.
async fn throw((dice, lives): (&mut fastrand::Rng, &mut u128), bench: &Bench) -> Move {
    let number = dice.u128(0..SAGAS);
    let stands = bench.journal.load(id(number)).await.unwrap();
    let owner = |dice: &mut fastrand::Rng| life(dice.u128(lives.saturating_sub(3)..*lives));
    match (dice.u8(0..25), stands) {
        (0, _) => {
            *lives += 1;
            Move::Register(life(*lives - 1))
        }
        (1, _) => Move::Release(owner(dice)),
        // Nobody renews what he has for himself.
        (20, _) if bench.journal.lease().is_some() => Move::Renew(owner(dice)),
        (21, _) => Move::IsEldest(owner(dice)),
        (22, _) => Move::Wait(dice.i64(0..LONGEST_WAIT_MS)),
        (2 | 23, _) => Move::Adopt(owner(dice), Orphans::Any(dice.usize(0..5))),
        (3, _) => Move::Adopt(owner(dice), Orphans::One(id(number))),
        (4, _) => Move::Load(id(number)),
        (24, _) => Move::Statistics(1_000 + dice.i64(-1..6)),
        (5 | 6, _) => Move::List(query(dice)),
        (7, _) => Move::History(id(number), (dice.i64(0..5), dice.i64(0..3)), dice.usize(0..9)),
        (8, _) => Move::Owned(owner(dice), dice.bool().then_some(id(number)), dice.usize(0..9)),
        (9 | 10, _) | (_, None) => Move::Accept(announced(dice, new(number))),
        (_, Some(record)) if record.saga.is_open() => Move::Append(write(dice, &record)),
        (_, Some(record)) => Move::Append(Append {
            next: Arc::new(record),
            facts: Vec::new(),
            events: Vec::new(),
            exposure: Exposure::default(),
        }),
    }
}

/// The incarnations, one after the other.
fn life(number: u128) -> Uuid {
    Uuid::from_u128(OWNER.as_u128() + number)
}

/// Mostly the right version and epoch, and mostly an event of its own.
fn write(dice: &mut fastrand::Rng, record: &Record) -> Append {
    let answered = dice.u8(0..6) == 0 && record.saga.in_flight().next().is_some();
    let mut append = if answered { end(record) } else { toggle(record) };
    let next = Arc::make_mut(&mut append.next);
    match dice.u8(0..10) {
        0 => next.version += dice.i64(-2..=2),
        1 => next.epoch += dice.i64(-1..=1),
        _ => {}
    }
    announced(dice, append)
}

fn announced(dice: &mut fastrand::Rng, append: Append) -> Append {
    let exposure = exposure(dice);
    let append = Append { exposure, ..append };
    // Ids are unique where their sagas lie, and no saga has another's.
    let event = append.next.id.as_u128() << 8 | dice.u128(0..64);
    if dice.bool() { announcing(append, event) } else { append }
}

/// What it is said to hold, and why.
fn exposure(dice: &mut fastrand::Rng) -> Exposure {
    Exposure {
        step: dice.choice(["", "hold", "pay"]).unwrap_or_default(),
        reason: dice.choice(["", "POINTS_SHORT", "UNAVAILABLE"]).unwrap_or_default().to_owned(),
        held: Held { amount: dice.i64(0..1_000), seats: dice.i64(0..3) },
    }
}

fn query(dice: &mut fastrand::Rng) -> Query {
    const STATES: [&str; 4] = ["running", "suspended", "completed", "compensating"];
    let states = if dice.bool() { dice.choose_multiple(STATES, 2) } else { Vec::new() };
    Query {
        kind: dice.choice(["purchase", "refund"]).filter(|_| dice.bool()).map(str::to_owned),
        subject: dice.bool().then(|| format!("customers/{}", dice.u8(0..2))),
        reference: dice.bool().then(|| format!("reservations/{}", dice.u8(0..5))),
        states,
        before: dice.bool().then(|| (1_000 + dice.i64(0..5), id(dice.u128(0..SAGAS)))),
        limit: dice.usize(0..8),
    }
}

/// The answer as text; of an error only its kind.
async fn play(bench: &Bench, next: &Move) -> String {
    let journal: &dyn Journal = &*bench.journal;
    match next {
        Move::Wait(ms) => {
            bench.clock.advance(*ms);
            String::new()
        }
        Move::Renew(incarnation) => answer(journal.renew(*incarnation).await),
        Move::IsEldest(incarnation) => answer(journal.is_eldest(*incarnation).await),
        Move::Register(incarnation) => answer(journal.register(*incarnation).await),
        Move::Release(incarnation) => answer(journal.release(*incarnation).await),
        Move::Accept(first) => answer(journal.accept(first.clone()).await),
        Move::Append(append) => answer(journal.append(append.clone()).await),
        Move::Adopt(owner, orphans) => answer(journal.adopt(*owner, *orphans).await),
        Move::Load(id) => answer(journal.load(*id).await),
        Move::List(query) => answer(journal.list(query).await),
        Move::History(id, after, limit) => answer(journal.history(*id, *after, *limit).await),
        Move::Statistics(since_ms) => answer(journal.statistics(*since_ms).await),
        Move::Owned(owner, after, limit) => answer(journal.owned(*owner, *after, *limit).await),
    }
}

fn answer<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Ok(answer) => format!("{answer:?}"),
        Err(Error::Fenced) => "fenced".to_owned(),
        Err(Error::Store(db::Error::Constraint(_))) => "constraint".to_owned(),
        Err(error) => panic!("{error:?}"),
    }
}
