//! The simulated store does, move by move, what the journal in memory does, which is what every journal has to do.

use std::time::Duration;

use orchestrator::exposure::Exposure;
use orchestrator::journal::{Journal as _, LEASE, MemoryJournal};
use orchestrator::plans::checkout;
use saga::{Act, Event, Moment};
use service_kit::clock::ManualClock;

use super::*;
use crate::dice::dice;
use crate::faults::Faults;
use crate::swarm::Swarm;
use crate::trace::Trace;

const MOVES: usize = 400;

fn store(seed: u64) -> Store {
    let swarm = Swarm::of(seed);
    let faults = Faults::new(seed, swarm.clone(), None);
    Store::new(Arc::new(World::new((seed, swarm), None, faults, Trace::default())))
}

fn at(now_ms: i64) -> Moment {
    Moment { now_ms, jitter: 0 }
}

fn append(next: Record) -> Append {
    Append { next: Arc::new(next), facts: Vec::new(), events: Vec::new(), exposure: Exposure::default() }
}

fn first(id: Uuid, owner: Uuid, now_ms: i64) -> Append {
    append(Record {
        id,
        kind: checkout::KIND.into(),
        plan_version: 1,
        subject: String::new(),
        reference: String::new(),
        request_hash: Vec::new(),
        input: Vec::new(),
        saga: saga::start(&checkout::PLAN, i64::MAX, &[], at(now_ms)).unwrap().saga,
        version: 1,
        epoch: 1,
        owner,
        create_time: now_ms,
        update_time: now_ms,
    })
}

/// The next write of somebody who believes that a saga stands so.
fn next(known: &Record, now_ms: i64) -> Append {
    let act = Act { by: "test".into(), reason: String::new() };
    let event = if known.saga.is_suspended() { Event::Abort(act) } else { Event::Suspend(act) };
    let decided = saga::decide(&checkout::PLAN, &known.saga, &event, at(now_ms));
    let saga = decided.map_or_else(|_| known.saga.clone(), |decision| decision.saga);
    append(Record { saga, version: known.version + 1, update_time: now_ms, ..known.clone() })
}

#[tokio::test(start_paused = true)]
async fn it_does_what_the_journal_in_memory_does() {
    for seed in 0..50 {
        let mut dice = dice(&[seed]);
        let (store, clock) = (store(seed), Arc::new(ManualClock::at(1_000)));
        let memory = MemoryJournal::shared(LEASE, clock.clone());
        let mut known: Vec<Record> = Vec::new();
        for _ in 0..MOVES {
            use service_kit::clock::Clock as _;
            let now_ms = clock.now_ms();
            let owner = Uuid::from_u128(dice.u128(1..4));
            let id = Uuid::from_u128(dice.u128(10..16));
            match dice.u8(..8) {
                0 => {
                    store.register(owner, now_ms);
                    memory.register(owner).await.unwrap();
                }
                1 => assert_eq!(store.renew(owner, now_ms), memory.renew(owner).await.unwrap()),
                2 if dice.bool() => {
                    store.release(owner);
                    memory.release(owner).await.unwrap();
                }
                3 => {
                    let first = first(id, owner, now_ms);
                    known.push(Record::clone(&first.next));
                    assert_eq!(store.accept(first.clone()), memory.accept(first).await.unwrap());
                }
                4 | 5 => {
                    let Some(record) = dice.choice(&known) else { continue };
                    let append = next(record, now_ms);
                    let ours = store.append(append.clone()).is_ok();
                    assert_eq!(ours, memory.append(append.clone()).await.is_ok(), "seed {seed}");
                    known.extend(ours.then(|| Record::clone(&append.next)));
                }
                6 => {
                    let orphans = if dice.bool() { Orphans::One(id) } else { Orphans::Any(dice.usize(1..4)) };
                    let adopted = store.adopt(owner, orphans, now_ms);
                    assert_eq!(adopted, memory.adopt(owner, orphans).await.unwrap(), "seed {seed}");
                    known.extend(adopted.into_iter().filter_map(|adopted| match adopted {
                        Adopted::Saga(record) => Some(*record),
                        Adopted::Broken { .. } => None,
                    }));
                }
                _ => clock.advance(dice.i64(0..i64::try_from(Duration::as_millis(&LEASE)).unwrap() / 3)),
            }
            assert_eq!(store.load(id), memory.load(id).await.unwrap(), "seed {seed}");
            assert_eq!(store.owned(owner, None, 3), memory.owned(owner, None, 3).await.unwrap(), "seed {seed}");
        }
    }
}
