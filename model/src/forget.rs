//! Forgets what of a saga no decision depends on, so that sagas that will do the same are one: times, texts, and counts
//! beyond what they can change. That it does not matter is tested: a saga that forgets after every event and one that
//! never does send the same calls.

use saga::{Failure, Leg, Phase, Saga, State, StepState, StepStatus};
use serde::{Deserialize, Serialize};

use crate::events::{self, DEADLINE_MS, LATER_MS};

/// Settled attempts of a compensation beyond which none counts any more.
const MOST_SETTLED: u32 = 3;

/// A saga with its fields open, by way of its row.
#[derive(Debug, Serialize, Deserialize)]
struct Open {
    state: State,
    deadline_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decided_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<i64>,
    steps: Vec<StepState>,
}

/// The row of the saga without what does not matter.
pub(crate) fn row(saga: &Saga) -> String {
    let mut open = open(saga);
    let is_undecided = saga.phase() == Some(Phase::Running);
    open.deadline_ms = DEADLINE_MS;
    open.failure = open.failure.map(|_| Failure::default());
    open.decided_ms = open.decided_ms.map(|_| 0);
    open.ended_ms = open.ended_ms.map(|_| 0);
    if let State::Suspended(suspension) = &mut open.state {
        suspension.since_ms = 0;
        suspension.cause = Failure::default();
    }
    for step in &mut open.steps {
        forget_forward(step, is_undecided);
        forget_compensation(step);
    }
    serde_json::to_string(&open).expect("plain data always serializes")
}

/// The saga of a row.
pub(crate) fn saga(row: &str) -> Saga {
    serde_json::from_str(row).expect("what was a saga's row still is one")
}

/// The saga with the back-off of this leg over, and no other.
pub(crate) fn due(saga: &Saga, leg: events::Leg) -> Saga {
    let mut open = open(saga);
    let step = &mut open.steps[leg.step()];
    let leg = if leg.is_forward() { &mut step.forward } else { &mut step.compensation };
    leg.next_ms = Some(0);
    self::saga(&serde_json::to_string(&open).expect("plain data always serializes"))
}

fn open(saga: &Saga) -> Open {
    let row = serde_json::to_string(saga).expect("a saga always serializes");
    serde_json::from_str(&row).expect("a saga has these fields")
}

fn forget_forward(step: &mut StepState, is_undecided: bool) {
    use StepStatus::{Compensated, Compensating, Skipped, Succeeded};
    let is_settled = matches!(step.status, Succeeded | Skipped | Compensating | Compensated);
    let leg = &mut step.forward;
    leg.failed = if is_undecided && !is_settled { leg.failed } else { 0 };
    leg.ambiguous = if is_settled { 0 } else { leg.ambiguous.min(1) };
    leg.contract = if is_settled { 0 } else { leg.contract };
    let settled = leg.attempts.saturating_sub(u32::from(leg.in_flight)).min(1);
    recount(leg, settled);
}

fn forget_compensation(step: &mut StepState) {
    let leg = &mut step.compensation;
    (leg.failed, leg.ambiguous) = (0, 0);
    let settled = leg.attempts.saturating_sub(u32::from(leg.in_flight)).min(MOST_SETTLED);
    recount(leg, if step.status == StepStatus::Compensated { settled.min(1) } else { settled });
}

fn recount(leg: &mut Leg, settled: u32) {
    let counted = leg.failed.max(leg.ambiguous).max(leg.contract);
    leg.attempts = settled.max(counted) + u32::from(leg.in_flight);
    leg.next_ms = leg.next_ms.map(|_| LATER_MS);
    leg.stuck = leg.stuck.take().map(|_| Failure::default());
    leg.recent.clear();
}

#[cfg(test)]
mod tests {
    use saga::{Command, Decision, Illegal, Moment, decide, start};

    use super::*;
    use crate::case::Case;
    use crate::events::{Answer, Event, legs};
    use crate::machine::{Machine, View};

    /// A saga that remembers everything, and the number of the one that forgets.
    struct Pair {
        case: &'static Case,
        machine: Machine,
        id: u32,
        saga: Saga,
        now_ms: i64,
    }

    const DEADLINE_MS: i64 = 1 << 40;

    fn sends(commands: &[Command]) -> u16 {
        commands.iter().fold(0, |sends, command| match command {
            Command::Send(call) => sends | events::Leg::new(call.step.0, call.direction).bit(),
            Command::Announce(_) => sends,
        })
    }

    impl Pair {
        fn new(case: &'static Case, now_ms: i64) -> Pair {
            let (machine, first) = Machine::new(case);
            let saga = start(case.plan, DEADLINE_MS, &[], Moment { now_ms, jitter: 1 }).unwrap().saga;
            Pair { case, machine, id: first.next, saga, now_ms }
        }

        /// When each leg that backs off is due, the first one first.
        fn due(&self) -> Vec<(i64, events::Leg)> {
            let next_ms = |leg: &events::Leg| self.saga.steps()[leg.step()].leg(leg.direction()).next_ms;
            let backing_off = legs(View::of(&self.saga).backing_off);
            let mut due: Vec<_> = backing_off.filter_map(|leg| Some((next_ms(&leg)?, leg))).collect();
            due.sort_unstable();
            due
        }

        /// Something that can happen now. Time goes on, but a retry that is due is an event of its own.
        fn event(&mut self, random: &mut fastrand::Rng) -> Option<Event> {
            let due = self.due();
            let later_ms = self.now_ms + random.i64(0..3);
            self.now_ms = due.first().map_or(later_ms, |(next_ms, _)| later_ms.min(next_ms - 1));
            let view = View::of(&self.saga);
            let waiting: Vec<_> = legs(view.in_flight).collect();
            let can_be_late = view.phase == Some(Phase::Running) && !view.is_suspended;
            Some(match random.u8(..20) {
                0..12 if !waiting.is_empty() => {
                    let answer = *random.choice(&Answer::ALL)?;
                    let late = can_be_late && answer != Answer::Lie && random.u8(..) < 10;
                    Event::Answered { leg: *random.choice(&waiting)?, answer, late }
                }
                0..14 if !view.is_suspended => {
                    self.now_ms = due.first()?.0;
                    // Two that are due at once are two events of a saga that forgets.
                    due.get(1).is_none_or(|(next_ms, _)| *next_ms > self.now_ms).then_some(Event::Woke(due[0].1))?
                }
                14 => Event::Adopted { late: can_be_late && random.bool() },
                15 => [Event::Cancel, Event::Abort][random.usize(..2)],
                16 => Event::Suspend,
                17 => Event::Retry,
                18 if can_be_late && random.u8(..) < 10 => Event::Deadline,
                _ => Event::Resume,
            })
        }

        /// The decision with a back-off of some length: one of nothing would be over at once.
        fn decide(&self, event: Event, random: &mut fastrand::Rng) -> Result<Decision, Illegal> {
            let shipped = event.shipped(self.case.plan, &self.saga, self.case.first_skips);
            loop {
                let at = Moment { now_ms: self.now_ms, jitter: random.u64(..) };
                let decided = decide(self.case.plan, &self.saga, &shipped, at);
                let waits = |saga: &Saga| {
                    let legs = saga.steps().iter().flat_map(|step| [&step.forward, &step.compensation]);
                    legs.filter_map(|leg| leg.next_ms).all(|next_ms| next_ms > at.now_ms)
                };
                let is_hasty = |decision: &Decision| sends(&decision.commands) & View::of(&self.saga).in_flight != 0;
                if decided.as_ref().map_or(true, |decision| waits(&decision.saga) && !is_hasty(decision)) {
                    return decided;
                }
            }
        }

        fn meet(&mut self, event: Event, random: &mut fastrand::Rng) {
            let is_late = event.at().now_ms > 0;
            self.now_ms = if is_late { self.now_ms.max(self.saga.deadline_ms()) } else { self.now_ms };
            let decided = self.decide(event, random);
            let forgetful = self.machine.decide(self.id, event).map(|number| self.machine.made(number));
            let sent = decided.as_ref().map(|decision| sends(&decision.commands)).map_err(|illegal| *illegal);
            assert_eq!(sent, forgetful.map(|made| made.sends), "{event:?} {:?}", self.saga);
            if let (Ok(decision), Ok(made)) = (decided, forgetful) {
                (self.saga, self.id) = (decision.saga, made.next);
            }
            assert_eq!(View::of(&self.saga), *self.machine.view(self.id), "{event:?} {:?}", self.saga);
        }
    }

    #[test]
    fn a_saga_that_forgets_does_what_one_does_that_never_does() {
        let mut ends = 0;
        for case in Case::all() {
            for seed in 0..1_500 {
                let mut random = fastrand::Rng::with_seed(seed);
                let mut pair = Pair::new(case, random.i64(0..1_000));
                for _ in 0..60 {
                    if let Some(event) = pair.event(&mut random) {
                        pair.meet(event, &mut random);
                    }
                }
                ends += usize::from(pair.saga.is_terminal());
            }
        }
        assert!(ends > 1_000, "only {ends} come to an end");
    }
}
