//! A waiting room before a sale: entrants come before it opens, at once when it does, and after it; they ask for their turn, hold
//! seats and buy. At less than full size time passes faster too, so that as much happens in a minute as in half an hour.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use fastrand::Rng;
use proto::token::v1 as pb;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Found, Stand};
use crate::client::{CALLS, Client, failed};
use crate::clock;
use crate::findings::{Expected, Ours, Part};
use crate::seed::Show;
use crate::system::{Shape, System};
use crate::watch::{Watch, backlog};

mod entrant;
pub(crate) mod fairness;
mod look;
mod notes;
mod sections;

use entrant::{Entrant, Habit};
use look::Looks;
use notes::Notes;
pub use notes::Room;

/// The sale.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// As many as in life.
    pub(super) seats: f64,
    pub(super) entrants: f64,
    pub(super) admissions_per_second: f64,
    pub(super) max_active: f64,
    /// Percent of the entrants who ask ten times a second, whatever they are told.
    pub(super) polls_too_often: f64,
    /// Percent who are gone while they wait.
    pub(super) vanishes: f64,
    /// Percent who do not come when it is their turn.
    pub(super) does_not_claim: f64,
    /// Whether the process that lets people in is killed on the way.
    pub(super) leader_dies: bool,
}

/// Seconds in life before the opening, right after it, and then; and how many come in each.
const PHASES: [(f64, f64); 3] = [(1_800.0, 0.6), (10.0, 0.2), (600.0, 0.2)];
/// Time passes at most so much faster than in life.
const FASTEST: f64 = 60.0;
/// Nobody is let in after so many seconds in life, counted from the opening.
const CLOSES: f64 = 1_500.0;
/// How long sagas may take to end.
const PATIENCE: Duration = Duration::from_secs(90);
/// A look whether they have.
const LOOK: Duration = Duration::from_millis(200);

/// What everybody in a room shares.
#[derive(Debug)]
struct Hall {
    client: Client,
    show: Show,
    notes: Notes,
    gate: Semaphore,
    /// How much faster than in life time passes.
    pace: f64,
    started: Instant,
    opens: Instant,
    /// When those who still wait go home.
    until: Instant,
}

impl Opening {
    pub(super) async fn run(&self, stand: &Stand) -> Result<Found> {
        let pace = (1.0 / stand.scale).clamp(1.0, FASTEST);
        let mut system = stand.makings.start("room", Shape::One, &settings(pace)).await?;
        let client = Client::connect(&system.target()).await?;
        let seats = self.seats_at(stand.scale);
        let entrants = (self.entrants * stand.scale).max(500.0) as usize;
        let before = Duration::from_secs_f64(PHASES[0].0 / pace);
        let room = self.open(&client, stand.scale, pace, before).await?;
        let hall = Arc::new(Hall {
            show: Show::behind(&client, room, seats).await?,
            notes: Notes::default(),
            gate: Semaphore::new(CALLS),
            pace,
            started: Instant::now(),
            opens: Instant::now() + before,
            until: Instant::now() + before + Duration::from_secs_f64(CLOSES / pace),
            client,
        });
        let watch = Watch::begin(&hall.client, system.pids(), system.store.directory());
        let looks = Looks::begin(&hall.client, &hall.show.room);
        let crowd = self.crowd(stand, hall.clone(), entrants);
        let middle = before + Duration::from_secs_f64(PHASES[2].0 / pace / 4.0);
        let (crowd, led) = tokio::join!(crowd, self.lead(&mut system, middle));
        crowd.and(led)?;
        self.sum_up(stand, &hall, (looks, watch, system), entrants).await
    }

    /// A room that opens in a while.
    async fn open(&self, client: &Client, scale: f64, pace: f64, before: Duration) -> Result<String> {
        let now = clock::now();
        let room = pb::WaitingRoom {
            ordering: pb::waiting_room::Ordering::ShuffledPrequeue.into(),
            prequeue_open_time: Some(now.into()),
            open_time: Some((now + before).into()),
            max_active_tokens: self.max_active_at(scale),
            admissions_per_second: self.admissions_per_second * scale * pace,
            active_ttl: prost_types::Duration::try_from(Duration::from_secs_f64((600.0 / pace).max(30.0))).ok(),
            claim_ttl: prost_types::Duration::try_from(Duration::from_secs_f64((60.0 / pace).max(5.0))).ok(),
            ..Default::default()
        };
        let request = pb::CreateWaitingRoomRequest {
            waiting_room: Some(room),
            request_id: clock::request_id(),
            ..Default::default()
        };
        let created = client.rooms().create_waiting_room(request).await.map_err(failed("open a waiting room"))?;
        Ok(created.into_inner().name)
    }

    fn seats_at(&self, scale: f64) -> usize {
        (self.seats * scale).max(50.0) as usize
    }

    fn max_active_at(&self, scale: f64) -> i32 {
        (self.max_active * scale).max(10.0) as i32
    }

    /// Everybody comes at his time; returns once all have gone.
    async fn crowd(&self, stand: &Stand, hall: Arc<Hall>, entrants: usize) -> Result<()> {
        let mut random = Rng::with_seed(stand.seed);
        let mut due: Vec<_> = (0..entrants).map(|_| arrival(&mut random, hall.pace)).collect();
        due.sort();
        let bar = stand.progress.bar("entrants", entrants as u64);
        let mut inside = JoinSet::new();
        for (number, offset) in due.into_iter().enumerate() {
            sleep_until(hall.started + offset).await;
            let entrant = Entrant { hall: hall.clone(), number, habit: self.habit(&mut random), random: random.fork() };
            let one_more = bar.clone();
            inside.spawn(async move {
                entrant.run().await;
                one_more.inc(1);
            });
            while let Some(ended) = inside.try_join_next() {
                ended.context("an entrant panicked")?;
            }
            if number % 256 == 0 {
                bar.set_prefix(hall.notes.live());
            }
        }
        while let Some(ended) = inside.join_next().await {
            ended.context("an entrant panicked")?;
        }
        bar.finish();
        Ok(())
    }

    fn habit(&self, random: &mut Rng) -> Habit {
        let mut is = |percent: f64| random.f64() * 100.0 < percent;
        Habit {
            polls_too_often: is(self.polls_too_often),
            vanishes: is(self.vanishes),
            claims: !is(self.does_not_claim),
        }
    }

    /// Kills the process that lets people in, if that is to be.
    async fn lead(&self, system: &mut System, when: Duration) -> Result<()> {
        if self.leader_dies {
            sleep(when).await;
            system.kill(0)?;
            system.restart(0)?;
        }
        Ok(())
    }

    async fn sum_up(
        &self,
        stand: &Stand,
        hall: &Hall,
        (looks, watch, system): (Looks, Watch, System),
        entrants: usize,
    ) -> Result<Found> {
        let since = Instant::now();
        while backlog(&hall.client).await.is_none_or(|backlog| backlog.open > 0) && since.elapsed() < PATIENCE {
            sleep(LOOK).await;
        }
        let room = hall.notes.sum_up(
            looks.taken(),
            &hall.client.calls(),
            (entrants, self.seats_at(stand.scale), hall.started.elapsed()),
        );
        let cap = i64::from(self.max_active_at(stand.scale));
        let most = room.looks.iter().map(|look| look.active).max().unwrap_or_default();
        let mut expected = vec![
            Expected::new(format!("at most {cap} inside at once"), most, most <= cap),
            Expected::new("let in before their turn: 0", room.inversions, room.inversions == 0),
            Expected::new("somebody bought", room.bought(), room.bought() > 0),
        ];
        if let Some(chi) = room.shuffle_chi_square {
            expected.push(Expected::new(
                "the draw favours nobody: chi-square below 132",
                format!("{chi:.0}"),
                chi < 132.0,
            ));
        }
        let ours = room.buying().map(|latency| Ours {
            per_second: room.bought() as f64 / hall.started.elapsed().as_secs_f64(),
            p50_ms: latency.p50_ms,
        });
        let samples = watch.samples();
        drop(watch);
        let verdicts = vec![system.store.verify(true, None).await?];
        system.end()?;
        let setting = vec![("times as fast as in life".to_owned(), hall.pace.to_string())];
        let parts = vec![Part::Room(Box::new(room)), Part::Samples(samples)];
        Ok(Found { parts, verdicts, expected, ours, setting })
    }
}

/// What waits for a clock in the server waits so much shorter.
fn settings(pace: f64) -> Vec<String> {
    let shorter = |name: &str, ms: f64, least: f64| format!("{name}={:.0}", (ms / pace).max(least));
    vec![
        shorter("token.nearest_poll_ms", 2_000.0, 200.0),
        shorter("token.farthest_poll_ms", 60_000.0, 1_000.0),
        shorter("token.tick_period_ms", 1_000.0, 100.0),
        shorter("token.sweep_period_ms", 5_000.0, 500.0),
        shorter("concert.sold_out_period_ms", 5_000.0, 500.0),
    ]
}

/// When somebody comes: in one of the phases.
fn arrival(random: &mut Rng, pace: f64) -> Duration {
    let (mut chance, mut start) = (random.f64(), 0.0);
    for (seconds, share) in PHASES {
        if chance < share {
            return Duration::from_secs_f64((start + seconds * chance / share) / pace);
        }
        chance -= share;
        start += seconds;
    }
    Duration::from_secs_f64(start / pace)
}
