//! What strikes whole processes, stores and services, and operators who meddle: planned from the seed, and done when its
//! time has come.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use orchestrator::runner::Intervention;
use saga::{Act, Event};
use uuid::Uuid;

use crate::dice::{dice, word};
use crate::faults::{Fault, Kind};
use crate::mutants::Mutant;
use crate::replica::{Fleet, SERVICES};
use crate::swarm::INCIDENTS;
use crate::world::pause;

/// Steps within which a process dies that is to die.
const STEPS: u32 = 40;

/// Plans everything that will strike. Each strikes on a task of its own.
#[expect(clippy::disallowed_methods, reason = "fate is no part of any process")]
pub(crate) fn plan(fleet: &Arc<Fleet>) {
    let world = &fleet.world;
    for place in 0..world.swarm.incidents {
        let mut dice = dice(&[world.seed, word("incident"), place]);
        let at_ms = dice.u64(0..world.swarm.rage_ms);
        let possible: Vec<Kind> = INCIDENTS.iter().copied().filter(|kind| world.swarm.rate(*kind) > 0).collect();
        let Some(kind) = dice.choice(possible) else { return };
        let Some(fault) = world.faults().planned(crate::dice::mix(&[word("incident"), place]), kind) else {
            continue;
        };
        let fleet = fleet.clone();
        tokio::spawn(async move {
            pause(u32::try_from(at_ms).unwrap_or_default()).await;
            strike(&fleet, fault).await;
        });
    }
}

async fn strike(fleet: &Arc<Fleet>, fault: Fault) {
    let world = &fleet.world;
    let mut dice = dice(&[fault.key]);
    let replica = dice.u64(0..world.swarm.replicas as u64);
    world.note(&[10, fault.key], || format!("replica {replica} {fault}"));
    match fault.kind {
        Kind::Crash => {
            let life = fleet.life(replica);
            life.process.die_in(dice.u32(0..STEPS));
            life.process.death().await;
            world.note(&[11, replica], || format!("replica {replica} is dead"));
            pause(fault.ms).await;
            if fleet.life(replica).process.is_dead() {
                fleet.restart(replica);
            }
        }
        Kind::Pause => {
            let life = fleet.life(replica);
            life.process.freeze();
            pause(fault.ms).await;
            world.note(&[12, replica], || format!("replica {replica} goes on"));
            life.process.thaw(&mut dice);
        }
        Kind::ClockJump => {
            let by_ms = i64::from(fault.ms);
            fleet.jump(replica, if dice.bool() { by_ms } else { -by_ms });
        }
        Kind::StoreOutage => {
            fleet.away_until_ms.store(world.now_ms() + i64::from(fault.ms), Ordering::Relaxed);
        }
        Kind::ServiceOutage => {
            let service = dice.choice(SERVICES).unwrap_or(SERVICES[0]);
            fleet.books.away(service, fault.ms);
        }
        Kind::Suspend | Kind::Resume | Kind::Retry | Kind::Abort => {
            let mut open = Vec::new();
            fleet.store.each(|row| open.extend(row.record.saga.is_open().then_some(row.record.id)));
            if let Some(saga) = dice.choice(open) {
                meddle(fleet, (replica, saga), fault.kind).await;
            }
        }
        _ => {}
    }
}

/// An operator wants something of a saga.
pub(crate) async fn meddle(fleet: &Arc<Fleet>, (replica, saga): (u64, Uuid), verb: Kind) {
    let act = Act { by: "operator".into(), reason: "simulated".into() };
    let event = match verb {
        Kind::Suspend => Event::Suspend(act),
        Kind::Retry => Event::Retry(act),
        Kind::Abort => Event::Abort(act),
        _ => Event::Resume(act),
    };
    if verb == Kind::Resume && fleet.world.is(Mutant::ResumeForward) {
        fleet.store.turn_forward(saga);
    }
    let life = fleet.life(replica);
    let Some(runner) = life.runner() else { return };
    let wish = async move { runner.intervene(saga, Intervention { event, expected_version: None }).await.is_ok() };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(3), life.host.tasks.spawn(wish)).await;
    let done = matches!(answer, Ok(Ok(true)));
    fleet.world.note(&[13, replica, u64::from(done)], || {
        format!("an operator asks replica {replica} to {} {:x}: {done}", verb.name(), crate::dice::number(saga))
    });
}
