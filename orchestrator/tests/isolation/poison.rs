//! One saga that nobody can drive.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::exposure::Exposure;
use orchestrator::journal::{Append, Journal as _, MemoryJournal, Orphans, Record};
use orchestrator::plans::{Announced, Ask, Definition, Plans, Read, Reply, checkout, point_charge};
use orchestrator::runner::{Error, Intervention, Limits};
use saga::{Act, Announcement, Event, Moment, Plan, step};
use uuid::Uuid;

use super::house::{House, NOW_MS};

static PLAN: Plan = Plan::new("poison", 1, &[step("lock", "concert/LockReservation", "concert/UnlockReservation")]);

/// Whoever reads an answer to it falls.
#[derive(Debug)]
struct Poison;

impl Definition for Poison {
    fn plan(&self) -> &'static Plan {
        &PLAN
    }

    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
        Ok(ask.saga().into_bytes())
    }

    fn reply(&self, _: Read<'_>) -> Result<Reply, String> {
        panic!("poison")
    }

    fn event(&self, _: &Record, _: Announcement) -> Option<Announced> {
        None
    }
}

fn act() -> Act {
    Act { by: "operator".into(), reason: "look at it".into() }
}

#[tokio::test(start_paused = true)]
async fn a_saga_whose_task_falls_every_time_is_suspended_alone() {
    let plans = Plans::with(&[&Poison]).unwrap();
    let house = House::over(Arc::default(), Limits::default(), plans).await;
    house.accept_as(&Poison, 1_000).await.unwrap();
    for id in 0..50 {
        house.accept(id).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let poison = house.record(1_000).await;
    assert_eq!(poison.saga.state().name(), "suspended", "{poison:?}");
    let cause = &poison.saga.failure();
    assert!(format!("{:?}{cause:?}", poison.saga.state()).contains("again and again"), "{poison:?}");
    // It was tried a few times, not for ever, and the others have not noticed.
    let tries = house.script.seen(|seen| seen.calls.iter().filter(|(_, id)| *id == 1_000).count());
    assert!((2..=6).contains(&tries), "{tries}");
    let (epoch, version) = (poison.epoch, poison.version);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let later = house.record(1_000).await;
    assert_eq!((later.epoch, later.version), (epoch, version), "nobody touches what is parked");
    let others = house.states(|record| record.id != Uuid::from_u128(1_000)).await;
    assert_eq!(others.get("completed"), Some(&50), "{others:?}");
    // A person who lets it go without a mend finds it parked once more.
    let resume = Intervention { event: Event::Resume(act()), expected_version: None };
    house.runner.intervene(later.id, resume).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(house.record(1_000).await.saga.state().name(), "suspended");
}

/// A checkout that holds what only a point charge can hold.
fn unfit(id: u128) -> Append {
    let at = Moment { now_ms: NOW_MS, jitter: 1 };
    let decision = saga::start(&point_charge::PLAN, NOW_MS + 30_000, &[], at).unwrap();
    let next = Record {
        id: Uuid::from_u128(id),
        kind: checkout::KIND.into(),
        plan_version: checkout::PLAN.version,
        subject: String::new(),
        reference: String::new(),
        request_hash: Vec::new(),
        input: b"{}".to_vec(),
        saga: decision.saga,
        version: 1,
        epoch: 1,
        owner: Uuid::from_u128(0xdead),
        create_time: NOW_MS,
        update_time: NOW_MS,
    };
    Append { next: Arc::new(next), facts: decision.facts, events: Vec::new(), exposure: Exposure::default() }
}

#[tokio::test(start_paused = true)]
async fn a_saga_that_does_not_fit_its_plan_is_parked_alone_and_waits_for_a_mend() {
    let journal = Arc::new(MemoryJournal::default());
    journal.accept(unfit(1_000)).await.unwrap();
    let house = House::over(journal, Limits::default(), Plans::default()).await;
    for id in 0..50 {
        house.accept(id).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let others = house.states(|record| record.id != Uuid::from_u128(1_000)).await;
    assert_eq!(others.get("completed"), Some(&50), "{others:?}");
    // It was taken over once, and nobody called anybody for it.
    assert_eq!(house.record(1_000).await.epoch, 2);
    assert_eq!(house.script.seen(|seen| seen.calls.iter().filter(|(_, id)| *id == 1_000).count()), 0);
    let wish = Intervention { event: Event::Abort(act()), expected_version: None };
    let refused = house.runner.intervene(Uuid::from_u128(1_000), wish).await;
    assert!(
        matches!(&refused, Err(Error::Journal(error)) if error.to_string().contains("the steps of its plan")),
        "{refused:?}"
    );
    let again = house.journal.adopt(Uuid::from_u128(7), Orphans::Any(10)).await.unwrap();
    assert_eq!(again, [], "what is parked is nobody's orphan");
}
