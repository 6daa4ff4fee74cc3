//! Draws a schedule. Nobody is hit by two faults at a time that would hide each other, each kind comes once before any
//! comes again, and one replica at least is left alone at each moment.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;
use testbed::link::Way;

use super::{Act, Kind, Schedule, What};
use crate::who::{PARTICIPANTS, Who};

/// Before the first one, so that there is something to hit.
const QUIET: Duration = Duration::from_secs(1);
/// Between one and the next.
const GAP_MS: std::ops::Range<u64> = 600..1_600;
/// What a process, or a database, needs to be back after a fault is mended.
const RECOVERY: Duration = Duration::from_millis(1_500);
/// Longer than the lease of a replica.
const FROZEN_MS: std::ops::Range<u64> = 6_500..9_000;
/// Who is chosen is busy until then.
type Busy = BTreeMap<Who, Duration>;

/// What goes wrong within so much time, of these kinds.
pub fn draw(seed: u64, length: Duration, kinds: &[Kind]) -> Schedule {
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
        match what(kind, at, &busy, &mut random) {
            Some(what) if is_whole(kind, lasts) => {
                let until = at + lasts + RECOVERY;
                busy.extend(hit(&what).into_iter().map(|who| (who, until)));
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
        Kind::LostReply | Kind::LostCommit => random.u64(2_000..4_000),
        Kind::Slow => random.u64(3_000..6_000),
        Kind::Hang => random.u64(2_000..6_000),
        Kind::Clock => random.u64(2_500..6_000),
        Kind::CrashLoop => random.u64(3_000..6_000),
        Kind::FailOver => 4_000,
        Kind::Roll => 12_000,
    })
}

/// Whether what is left of its time still makes it one of its kind.
fn is_whole(kind: Kind, lasts: Duration) -> bool {
    let needed = match kind {
        Kind::FreezeOrchestrator | Kind::FreezeParticipant => FROZEN_MS.start,
        Kind::Clock | Kind::CrashLoop | Kind::Hang | Kind::LostReply | Kind::LostCommit | Kind::Slow => 2_000,
        Kind::FailOver | Kind::Roll => 4_000,
        Kind::KillOrchestrator | Kind::KillParticipant | Kind::KillDatabase => 0,
        Kind::Partition | Kind::OneWay | Kind::Cut => 0,
    };
    lasts.as_millis() >= u128::from(needed)
}

/// What it is, if there is anybody whom it can hit.
fn what(kind: Kind, at: Duration, busy: &Busy, random: &mut Rng) -> Option<What> {
    let is_free = |who: &Who| busy.get(who).is_none_or(|until| *until <= at);
    let choose = |mut among: Vec<Who>, random: &mut Rng| {
        among.retain(is_free);
        random.choice(among)
    };
    let replica = |random: &mut Rng| {
        let free: Vec<_> = Who::replicas().filter(is_free).collect();
        // The last one is left alone.
        if free.len() > 1 { random.choice(free) } else { None }
    };
    let participant = |random: &mut Rng| choose(PARTICIPANTS.to_vec(), random);
    let anybody = |random: &mut Rng| if random.bool() { replica(random) } else { participant(random) };
    Some(match kind {
        Kind::KillOrchestrator => What::Kill(replica(random)?),
        Kind::KillParticipant => What::Kill(participant(random)?),
        Kind::KillDatabase => What::Kill(choose(vec![Who::Database], random)?),
        Kind::FreezeOrchestrator => What::Freeze(replica(random)?),
        Kind::FreezeParticipant => What::Freeze(participant(random)?),
        Kind::CrashLoop => What::CrashLoop(anybody(random)?),
        Kind::Clock => What::Jump(anybody(random)?, *random.choice(&JUMPS)?),
        Kind::Hang => What::Hang(participant(random)?),
        Kind::Partition => What::Hold(pair(is_free, random)?, vec![Way::There, Way::Back]),
        Kind::OneWay => What::Hold(pair(is_free, random)?, vec![*random.choice(&[Way::There, Way::Back])?]),
        Kind::Cut => What::Cut(pair(is_free, random)?),
        Kind::Slow => What::Slow(pair(is_free, random)?, Duration::from_millis(*random.choice(&LATE_MS)?)),
        Kind::LostReply => {
            let to = participant(random)?;
            let from = random.choice(Who::replicas().filter(is_free).collect::<Vec<_>>())?;
            What::LoseReplies((from, to), random.usize(1..6))
        }
        Kind::LostCommit => What::LoseCommits(anybody(random)?, random.usize(1..4)),
        Kind::FailOver => is_free(&Who::Database).then_some(What::FailOver)?,
        Kind::Roll => Who::replicas().all(|who| is_free(&who)).then_some(What::Roll)?,
    })
}

/// An hour and days, to and fro, in seconds.
const JUMPS: [i64; 4] = [3_600, -3_600, 432_000, -432_000];
/// How much longer a slow connection takes.
const LATE_MS: [u64; 3] = [20, 100, 700];

/// Somebody who calls, and whom he calls. Customers are no more special than others.
fn pair(is_free: impl Fn(&Who) -> bool, random: &mut Rng) -> Option<(Who, Who)> {
    let callers: Vec<_> = Who::parts().chain([Who::Customers]).filter(&is_free).collect();
    let from = random.choice(callers)?;
    let called: Vec<_> = from.calls().into_iter().filter(&is_free).collect();
    Some((from, random.choice(called)?))
}

/// Whom it hits so that another fault would hide it, or be hidden.
fn hit(what: &What) -> Vec<Who> {
    match what {
        What::Kill(who) | What::Freeze(who) | What::CrashLoop(who) | What::Jump(who, _) | What::Hang(who) => vec![*who],
        What::LoseReplies((from, to), _) => vec![*from, *to],
        What::LoseCommits(who, _) => vec![*who],
        What::Hold((from, _), _) | What::Cut((from, _)) | What::Slow((from, _), _) if *from == Who::Customers => {
            Vec::new()
        }
        What::Hold((from, _), _) | What::Cut((from, _)) | What::Slow((from, _), _) => vec![*from],
        What::FailOver => vec![Who::Database],
        What::Roll => Who::replicas().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(60);

    #[test]
    fn a_seed_always_draws_the_same() {
        let of_seed = |seed| draw(seed, LENGTH, &Kind::USUAL);
        assert_eq!(of_seed(7), of_seed(7));
        assert_ne!(of_seed(7), of_seed(8));
    }

    #[test]
    fn each_kind_comes_within_a_minute_whatever_the_seed() {
        for seed in 0..500 {
            let drawn = draw(seed, LENGTH, &Kind::USUAL);
            for kind in Kind::USUAL {
                assert!(drawn.acts.iter().any(|act| act.kind == kind), "{kind:?} is missing: {drawn}");
            }
            assert!(drawn.length() <= LENGTH, "{drawn}");
        }
    }

    #[test]
    fn a_replica_is_left_alone_at_each_moment() {
        for seed in 0..200 {
            let drawn = draw(seed, LENGTH, &Kind::USUAL);
            for act in &drawn.acts {
                let also_hit = |other: &&Act| other.at <= act.at && act.at <= other.at + other.lasts;
                let hits = drawn.acts.iter().filter(also_hit).filter(|act| !matches!(act.kind, Kind::LostReply));
                let impaired: Vec<_> = Who::replicas()
                    .filter(|who| {
                        hits.clone().any(|act| {
                            matches!(&act.what,
                        What::Kill(hit) | What::Freeze(hit) | What::CrashLoop(hit) if hit == who)
                        })
                    })
                    .collect();
                assert!(impaired.len() < 3, "{drawn}");
            }
        }
    }
}
