//! Draws a schedule. Nobody is hit by two faults at a time that would hide each other, each kind comes once before any
//! comes again, and one replica at least is left alone at each moment.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use testbed::link::Way;

use super::{Act, Kind, Schedule, What};
use crate::who::{Cast, Who};

/// Before the first one, so that there is something to hit.
const QUIET: Duration = Duration::from_secs(1);
/// Between one and the next.
const GAP_MS: std::ops::Range<u64> = 600..1_600;
/// Longer than the lease of a replica.
const FROZEN_MS: std::ops::Range<u64> = 6_500..9_000;
/// Who is chosen is busy until then.
type Busy = BTreeMap<Who, Duration>;

/// What goes wrong for a cast within so much time, of these kinds.
pub fn draw(seed: u64, length: Duration, (cast, kinds): (Cast, &[Kind])) -> Schedule {
    let mut random = Rng::with_seed(seed);
    let (mut deck, mut busy, mut acts) = (Vec::new(), Busy::new(), Vec::new());
    let mut at = QUIET;
    // Those that found nobody come first the next time.
    let mut later = kinds.to_vec();
    random.shuffle(&mut later);
    later.reverse();
    while at < length && !kinds.is_empty() {
        let kind = later.pop().unwrap_or_else(|| next(&mut deck, kinds, &mut random));
        let lasts = lasts(kind, &mut random).min(length.saturating_sub(at));
        let found = what(kind, &Stage { cast, busy: &busy, at }, &mut random);
        match found {
            Some(what) if is_whole(kind, lasts) => {
                let until = at + lasts + recovery(kind);
                busy.extend(hit(&what, cast).into_iter().map(|who| (who, until)));
                acts.push(Act { at, lasts, kind, what });
                at += Duration::from_millis(random.u64(GAP_MS));
            }
            Some(_) => at += Duration::from_millis(100),
            None => {
                later.insert(0, kind);
                at += Duration::from_millis(100);
            }
        }
    }
    Schedule { seed, acts }
}

fn next(deck: &mut Vec<Kind>, kinds: &[Kind], random: &mut Rng) -> Kind {
    if deck.is_empty() {
        deck.extend(kinds.iter().flat_map(|kind| std::iter::repeat_n(*kind, kind.weight())));
        random.shuffle(deck);
    }
    deck.pop().expect("there are kinds, and each has a weight")
}

fn lasts(kind: Kind, random: &mut Rng) -> Duration {
    Duration::from_millis(match kind {
        Kind::KillOrchestrator | Kind::KillParticipant => random.u64(0..1_500),
        Kind::KillDatabase => random.u64(300..1_500),
        Kind::FreezeOrchestrator | Kind::FreezeParticipant => random.u64(FROZEN_MS),
        Kind::Partition | Kind::OneWay => random.u64(1_500..8_000),
        Kind::Cut => random.u64(0..3_000),
        Kind::Forgotten => random.u64(10_000..20_000),
        Kind::LostReply | Kind::LostCommit => random.u64(2_000..4_000),
        Kind::Slow => random.u64(3_000..6_000),
        Kind::Hang => random.u64(2_000..6_000),
        Kind::Clock => random.u64(2_500..6_000),
        Kind::CrashLoop => random.u64(3_000..6_000),
        Kind::FailOver => 4_000,
        Kind::Roll => 12_000,
        Kind::FullDisk => random.u64(2_000..6_000),
    })
}

/// What those who were hit need to be back after the fault is mended.
fn recovery(kind: Kind) -> Duration {
    // A new standby is a copy of the whole database.
    Duration::from_millis(if kind == Kind::FailOver { 10_000 } else { 1_500 })
}

/// Whether what is left of its time still makes it one of its kind.
fn is_whole(kind: Kind, lasts: Duration) -> bool {
    let needed = match kind {
        Kind::FreezeOrchestrator | Kind::FreezeParticipant => FROZEN_MS.start,
        Kind::Clock | Kind::CrashLoop | Kind::Hang | Kind::LostReply | Kind::LostCommit | Kind::Slow => 2_000,
        Kind::FailOver | Kind::Roll => 4_000,
        Kind::FullDisk => 2_000,
        Kind::KillOrchestrator | Kind::KillParticipant | Kind::KillDatabase => 0,
        Kind::Partition | Kind::OneWay | Kind::Cut => 0,
        Kind::Forgotten => 8_000,
    };
    lasts.as_millis() >= u128::from(needed)
}

/// Whom there is to hit, and who is being hit already.
struct Stage<'a> {
    cast: Cast,
    busy: &'a Busy,
    at: Duration,
}

impl Stage<'_> {
    fn is_free(&self, who: Who) -> bool {
        self.busy.get(&who).is_none_or(|until| *until <= self.at)
    }

    fn one_of(&self, mut among: Vec<Who>, random: &mut Rng) -> Option<Who> {
        among.retain(|who| self.is_free(*who));
        random.choice(among)
    }

    /// The last one of several is left alone.
    fn replica(&self, random: &mut Rng) -> Option<Who> {
        let all = self.cast.replicas();
        let free = all.iter().filter(|who| self.is_free(**who)).count();
        if free > 1 || all.len() == 1 { self.one_of(all, random) } else { None }
    }

    fn participant(&self, random: &mut Rng) -> Option<Who> {
        self.one_of(self.cast.participants(), random)
    }

    fn anybody(&self, random: &mut Rng) -> Option<Who> {
        if random.bool() { self.replica(random) } else { self.participant(random) }
    }

    /// Somebody inside who calls, and whom he calls.
    fn inner_pair(&self, random: &mut Rng) -> Option<(Who, Who)> {
        let from = self.one_of(self.cast.parts(), random)?;
        Some((from, self.one_of(self.cast.calls(from), random)?))
    }

    /// Somebody who calls, and whom he calls. Customers are no more special than others.
    fn pair(&self, random: &mut Rng) -> Option<(Who, Who)> {
        let from = self.one_of([self.cast.parts(), vec![Who::Customers]].concat(), random)?;
        Some((from, self.one_of(self.cast.calls(from), random)?))
    }
}

/// What it is, if there is anybody whom it can hit.
fn what(kind: Kind, stage: &Stage<'_>, random: &mut Rng) -> Option<What> {
    Some(match kind {
        Kind::KillOrchestrator => What::Kill(stage.replica(random)?),
        Kind::KillParticipant => What::Kill(stage.participant(random)?),
        Kind::KillDatabase => What::Kill(stage.one_of(vec![Who::Database], random)?),
        Kind::FreezeOrchestrator => What::Freeze(stage.replica(random)?),
        Kind::FreezeParticipant => What::Freeze(stage.participant(random)?),
        Kind::CrashLoop => What::CrashLoop(stage.anybody(random)?),
        Kind::Clock => What::Jump(stage.anybody(random)?, *random.choice(&JUMPS)?),
        Kind::Hang => What::Hang(stage.participant(random)?),
        Kind::Partition => What::Hold(stage.pair(random)?, vec![Way::There, Way::Back]),
        Kind::OneWay => What::Hold(stage.pair(random)?, vec![*random.choice(&[Way::There, Way::Back])?]),
        Kind::Cut => What::Cut(stage.pair(random)?),
        Kind::Forgotten => What::Forget(stage.inner_pair(random)?),
        Kind::Slow => What::Slow(stage.pair(random)?, Duration::from_millis(*random.choice(&LATE_MS)?)),
        Kind::LostReply => {
            let to = stage.participant(random)?;
            What::LoseReplies((stage.one_of(stage.cast.replicas(), random)?, to), random.usize(1..6))
        }
        Kind::LostCommit => What::LoseCommits(stage.anybody(random)?, random.usize(1..4)),
        Kind::FailOver => stage.is_free(Who::Database).then_some(What::FailOver)?,
        Kind::Roll => stage.cast.replicas().into_iter().all(|who| stage.is_free(who)).then_some(What::Roll)?,
        Kind::FullDisk => stage.is_free(Who::Skald).then_some(What::FullDisk)?,
    })
}

/// An hour and days, to and fro, in seconds.
const JUMPS: [i64; 4] = [3_600, -3_600, 432_000, -432_000];
/// How much longer a slow connection takes.
const LATE_MS: [u64; 3] = [20, 100, 700];

/// Whom it hits so that another fault would hide it, or be hidden.
fn hit(what: &What, cast: Cast) -> Vec<Who> {
    match what {
        What::Kill(who) | What::Freeze(who) | What::CrashLoop(who) | What::Jump(who, _) | What::Hang(who) => vec![*who],
        What::LoseReplies((from, to), _) => vec![*from, *to],
        What::LoseCommits(who, _) => vec![*who],
        What::Hold((from, _), _) | What::Cut((from, _)) | What::Slow((from, _), _) if *from == Who::Customers => {
            Vec::new()
        }
        What::Hold((from, _), _) | What::Cut((from, _)) | What::Slow((from, _), _) => vec![*from],
        // Others go on meanwhile, also with those two.
        What::Forget(_) => Vec::new(),
        What::FailOver => vec![Who::Database],
        What::Roll => cast.replicas(),
        What::FullDisk => vec![Who::Skald],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(60);

    fn drawn(seed: u64, cast: Cast) -> Schedule {
        draw(seed, LENGTH, (cast, &Kind::usual(cast)))
    }

    #[test]
    fn a_seed_always_draws_the_same() {
        assert_eq!(drawn(7, Cast::Apart), drawn(7, Cast::Apart));
        assert_ne!(drawn(7, Cast::Apart), drawn(8, Cast::Apart));
    }

    #[test]
    fn each_kind_comes_within_a_minute_whatever_the_seed() {
        for (seed, cast) in (0..500).flat_map(|seed| [(seed, Cast::Apart), (seed, Cast::One)]) {
            let drawn = drawn(seed, cast);
            for kind in Kind::usual(cast) {
                assert!(kind.fits(cast) && drawn.acts.iter().any(|act| act.kind == kind), "no {kind:?}: {drawn}");
            }
            assert!(drawn.length() <= LENGTH, "{drawn}");
        }
    }

    #[test]
    fn one_of_several_replicas_is_left_alone_at_each_moment() {
        for seed in 0..200 {
            let drawn = drawn(seed, Cast::Apart);
            for act in &drawn.acts {
                let is_on = |other: &&Act| other.at <= act.at && act.at <= other.at + other.lasts;
                let acts = drawn.acts.iter().filter(is_on);
                let is_out = |who: &Who| {
                    let hits =
                        |act: &Act| [What::Kill(*who), What::Freeze(*who), What::CrashLoop(*who)].contains(&act.what);
                    acts.clone().any(hits)
                };
                assert!(!Cast::Apart.replicas().iter().all(is_out), "{drawn}");
            }
        }
    }
}
