//! Replicas of the orchestrator: the real runner, in a process of its own that may stop and die, with a clock of its own and
//! ways of its own to the journal and the participants.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator::participants::{Participant, Participants};
use orchestrator::plans::Plans;
use orchestrator::runner::{Limits, Parts, Runner};
use service_kit::clock::Clock;
use service_kit::host::Host;
use service_kit::ids::Ids;
use service_kit::tasks::Tasks;

use crate::books::Books;
use crate::dice::word;
use crate::link::Link;
use crate::network::Way;
use crate::process::Process;
use crate::store::Store;
use crate::world::World;

/// The services, by the names that plans use.
pub(crate) const SERVICES: [&str; 4] = ["concert", "customer", "payment", "token"];

/// How long it takes to start a process anew that could not start.
const PAUSE_MS: u32 = 300;

/// A clock that is off.
#[derive(Debug)]
struct Skewed {
    world: Arc<World>,
    skew_ms: Arc<AtomicI64>,
}

impl Clock for Skewed {
    fn now_ms(&self) -> i64 {
        self.world.now_ms() + self.skew_ms.load(Ordering::Relaxed)
    }
}

/// One life of one replica.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) process: Arc<Process>,
    pub(crate) host: Host,
    pub(crate) link: Arc<Link>,
    runner: Mutex<Option<Runner>>,
}

impl Life {
    pub(crate) fn runner(&self) -> Option<Runner> {
        self.runner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All replicas.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) world: Arc<World>,
    pub(crate) books: Arc<Books>,
    pub(crate) store: Arc<Store>,
    pub(crate) away_until_ms: Arc<AtomicI64>,
    skews: Vec<Arc<AtomicI64>>,
    lives: Mutex<Vec<Arc<Life>>>,
}

impl Fleet {
    pub(crate) fn new(world: &Arc<World>, books: &Arc<Books>, store: &Arc<Store>) -> Arc<Self> {
        let skews = (0..world.swarm.replicas).map(|_| Arc::default()).collect();
        let fleet = Arc::new(Self {
            world: world.clone(),
            books: books.clone(),
            store: store.clone(),
            away_until_ms: Arc::default(),
            skews,
            lives: Mutex::default(),
        });
        for replica in 0..world.swarm.replicas {
            let life = fleet.born(replica);
            fleet.lives().push(life);
        }
        fleet
    }

    fn lives(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Life>>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A replica as it is now.
    pub(crate) fn life(&self, replica: u64) -> Arc<Life> {
        let lives = self.lives();
        lives[(replica % lives.len() as u64) as usize].clone()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Life>> {
        self.lives().clone()
    }

    /// Its clock jumps.
    pub(crate) fn jump(&self, replica: u64, by_ms: i64) {
        if let Some(skew_ms) = self.skews.get(replica as usize) {
            skew_ms.fetch_add(by_ms, Ordering::Relaxed);
        }
    }

    /// All clocks are right again.
    pub(crate) fn heal_clocks(&self) {
        self.skews.iter().for_each(|skew_ms| skew_ms.store(0, Ordering::Relaxed));
    }

    /// Another process takes the place of a dead one.
    pub(crate) fn restart(self: &Arc<Self>, replica: u64) {
        let life = self.born(replica as usize);
        if let Some(place) = self.lives().get_mut(replica as usize) {
            *place = life;
        }
    }

    /// A process that cannot begin ends, and another one takes its place after a while.
    fn fail(self: &Arc<Self>, replica: u64, life: &Arc<Life>) {
        self.world.note(&[15, replica], || format!("replica {replica} cannot start"));
        life.process.die();
        let (fleet, failed) = (self.clone(), life.clone());
        self.world.later(PAUSE_MS, async move {
            if Arc::ptr_eq(&fleet.life(replica), &failed) {
                fleet.restart(replica);
            }
        });
    }

    /// A new process begins.
    fn born(self: &Arc<Self>, replica: usize) -> Arc<Life> {
        let number = replica as u64;
        let world = &self.world;
        let seed = world.number(&[word("ids"), number, world.count(&[word("life"), number])]);
        world.note(&[8, number], || format!("replica {number} starts"));
        let process = Arc::new(Process::default());
        let skew_ms = self.skews[replica].clone();
        let clock = Arc::new(Skewed { world: world.clone(), skew_ms: skew_ms.clone() });
        let host =
            Host { tasks: Tasks::under(process.clone()), ..Host::new(self.books.db.clone(), clock, Ids::seeded(seed)) };
        let link = Arc::new(Link {
            world: world.clone(),
            store: self.store.clone(),
            replica: number,
            process: process.clone(),
            away_until_ms: self.away_until_ms.clone(),
            skew_ms,
        });
        let way = |service| {
            let way = Way { world: world.clone(), books: self.books.clone(), replica: number, service };
            (service, Participant::new(way))
        };
        let parts = Parts {
            journal: link.clone(),
            plans: Plans::default(),
            participants: Arc::new(Participants::new(SERVICES.map(way))),
            host: host.clone(),
            limits: Limits::default(),
        };
        let life = Arc::new(Life { process, host, link, runner: Mutex::default() });
        let (starting, fleet) = (life.clone(), self.clone());
        drop(life.host.tasks.spawn(async move {
            match Runner::start(parts).await {
                Ok(runner) => {
                    *starting.runner.lock().unwrap_or_else(PoisonError::into_inner) = Some(runner);
                }
                Err(_) => fleet.fail(number, &starting),
            }
        }));
        life
    }
}
