//! Random runs against model participants: messages get lost, late and doubled, processes die, people meddle. Once the
//! faults stop every saga ends, and the books show all of it or nothing.

use std::collections::BTreeMap;

use saga::{
    Call, Command, Decision, Direction, Event, Illegal, Kind, Moment, Outcome, Phase, Plan, Saga, State, StepIndex,
    start,
};

use crate::participants::Participants;
use crate::plans;
use crate::script::{DEADLINE_MS, act, decide_checked, outcome, sent};

const RUNS_PER_PLAN: u64 = 4_000;

#[test]
fn whatever_goes_wrong_all_or_nothing_is_left() {
    let mut seen = BTreeMap::new();
    for plan in plans::ALL {
        for seed in 0..RUNS_PER_PLAN {
            let mut chaos = Chaos::new(plan, seed);
            chaos.rage();
            chaos.calm_down();
            chaos.settle_accounts();
            for event in chaos.seen {
                *seen.entry(event).or_insert(0) += 1;
            }
        }
    }
    // A run that never meets what it is for proves nothing.
    for event in
        ["completed", "compensated", "arbitrating", "arbiter won", "arbiter lost", "suspended", "stale", "adopted"]
    {
        assert!(seen.get(event).is_some_and(|count| *count > 100), "{event}: {seen:?}");
    }
}

/// A request on its way: some process waits for its reply, or gave up, or died.
#[derive(Clone, Copy)]
struct Message {
    call: Call,
    is_awaited: bool,
    /// Sent by this process and not by one that has died.
    is_ours: bool,
}

struct Chaos {
    plan: &'static Plan,
    seed: u64,
    random: fastrand::Rng,
    participants: Participants,
    saga: Saga,
    now_ms: i64,
    network: Vec<Message>,
    seen: Vec<&'static str>,
    is_calm: bool,
}

impl Chaos {
    fn new(plan: &'static Plan, seed: u64) -> Chaos {
        let mut random = fastrand::Rng::with_seed(seed);
        let can_skip = |step: &StepIndex| {
            plan.steps()[step.0].kind != Kind::Pivot && plan.arbiter().is_none_or(|(arbiter, _)| arbiter != *step)
        };
        let steps = (0..plan.steps().len()).map(StepIndex);
        let skip: Vec<StepIndex> = steps.filter(can_skip).filter(|_| random.u8(..) < 20).collect();
        let at = Moment { now_ms: 0, jitter: random.u64(..) };
        let decision = start(plan, DEADLINE_MS, &skip, at).expect("a saga");
        let mut chaos = Chaos {
            plan,
            seed,
            random,
            participants: Participants::new(plan),
            saga: decision.saga.clone(),
            now_ms: 0,
            network: Vec::new(),
            seen: Vec::new(),
            is_calm: false,
        };
        chaos.carry_out(decision);
        chaos
    }

    /// Faults of every kind, as long as the run's luck wants.
    fn rage(&mut self) {
        for _ in 0..self.random.usize(5..80) {
            self.now_ms += self.random.i64(0..20);
            match self.random.u8(..100) {
                0..45 => self.deliver(),
                45..60 => self.fail(),
                60..63 => self.die(),
                63..85 => self.wake(),
                85..88 => self.meddle(),
                88..92 => self.apply(&Event::Resume(act())),
                92 => self.now_ms += DEADLINE_MS,
                _ => self.apply(&Event::Woke),
            }
        }
    }

    /// From now on everybody answers, and somebody lets go what is held.
    fn calm_down(&mut self) {
        self.is_calm = true;
        for _ in 0..500 {
            if self.saga.is_terminal() {
                return;
            } else if self.saga.is_suspended() {
                self.apply(&Event::Resume(act()));
            } else if self.network.iter().any(|message| message.is_awaited) {
                self.deliver();
            } else {
                self.wake();
            }
        }
        panic!("seed {} of {} has no end: {:?}", self.seed, self.plan.kind, self.saga);
    }

    /// What is still on its way arrives, and then the books are read.
    fn settle_accounts(&mut self) {
        while let Some(message) = self.network.pop() {
            self.participants.serve(message.call.step, message.call.direction, true);
        }
        let has_completed = *self.saga.state() == State::Completed;
        self.seen.push(self.saga.state().name());
        for (index, line) in self.plan.steps().iter().enumerate() {
            let is_skipped = self.saga.steps()[index].status == saga::StepStatus::Skipped;
            let books = (self.participants.applied[index], self.participants.undone[index]);
            let is_right = match has_completed {
                true => books == (u32::from(!is_skipped), 0),
                false => books == (0, 0) || (books == (1, 1) && line.kind == Kind::Compensatable && !is_skipped),
            };
            assert!(is_right, "seed {} of {}: {} {books:?} {:?}", self.seed, self.plan.kind, line.id, self.saga);
        }
    }

    /// Some request arrives, perhaps not for the last time; its reply comes back, perhaps too late.
    fn deliver(&mut self) {
        let Some(message) = self.take() else { return };
        if !self.is_calm && self.random.u8(..) < 30 && self.may_double(&message) {
            self.network.push(Message { is_awaited: false, ..message });
        }
        let is_willing = self.is_calm || self.random.u8(..) < 235;
        let reply = self.participants.serve(message.call.step, message.call.direction, is_willing);
        if message.is_awaited {
            let reply = self.distort(reply);
            self.reply(message.call, reply);
        } else if message.is_ours {
            self.reply(message.call, reply);
        }
    }

    /// The effect is there or not, and the process learns something else.
    fn distort(&mut self, reply: Outcome) -> Outcome {
        match self.random.u8(..) {
            _ if self.is_calm => reply,
            0..20 => outcome("in doubt"),
            20..30 => outcome("pending"),
            30..35 => outcome("overloaded"),
            35..40 => outcome("contract"),
            40..43 => outcome("lie"),
            _ => reply,
        }
    }

    /// A call fails before its request has arrived; unless it provably never left, it may arrive later.
    fn fail(&mut self) {
        let Some(message) = self.take().filter(|message| message.is_awaited) else { return };
        let answer = self.random.choice(["not executed", "in doubt", "overloaded", "pending", "contract"]);
        let answer = answer.expect("one of five");
        if answer != "not executed" {
            self.network.push(Message { is_awaited: false, ..message });
        }
        self.reply(message.call, outcome(answer));
    }

    /// The process dies, perhaps before it has sent what it meant to; another adopts the saga.
    fn die(&mut self) {
        for index in (0..self.network.len()).rev() {
            if self.network[index].is_awaited && self.random.bool() {
                self.network.remove(index);
            }
        }
        for message in &mut self.network {
            message.is_awaited = false;
            message.is_ours = false;
        }
        self.seen.push("adopted");
        self.apply(&Event::Adopted);
    }

    fn meddle(&mut self) {
        let verbs = [Event::CancelRequested, Event::Abort, Event::Suspend, Event::Retry];
        let verb = self.random.choice(verbs).expect("one of four");
        self.apply(&verb(act()));
    }

    fn wake(&mut self) {
        if let Some(wake_ms) = self.saga.next_wake_ms() {
            self.now_ms = self.now_ms.max(wake_ms);
            self.apply(&Event::Woke);
        }
    }

    fn reply(&mut self, call: Call, outcome: Outcome) {
        let is_awaited = self.saga.in_flight().any(|waiting| waiting == call);
        let before = self.saga.clone();
        let was_arbitrating = before.phase() == Some(Phase::Arbitrating);
        if was_arbitrating && call.direction == Direction::Compensation && is_awaited {
            if matches!(outcome, Outcome::Done { .. }) {
                self.seen.push("arbiter won");
            } else if matches!(outcome, Outcome::Refused(_)) {
                self.seen.push("arbiter lost");
            }
        }
        self.apply(&Event::Attempted { call, outcome, elapsed_ms: 1 });
        if !is_awaited {
            assert_eq!(self.saga, before, "a stale reply changes nothing");
            self.seen.push("stale");
        }
    }

    fn apply(&mut self, event: &Event) {
        let at = Moment { now_ms: self.now_ms, jitter: self.random.u64(..) };
        match decide_checked(self.plan, &self.saga, event, at) {
            Ok(decision) => self.carry_out(decision),
            Err(illegal) => assert_ne!(illegal, Illegal::NeverSent, "seed {}", self.seed),
        }
        if self.saga.is_open() {
            self.seen.push(self.saga.state().name());
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        self.saga = decision.saga;
        let calls = decision.commands.iter().filter_map(|command: &Command| sent(command));
        self.network.extend(calls.map(|call| Message { call, is_awaited: true, is_ours: true }));
    }

    /// Some message, taken off the network. Once it is calm, one that is awaited.
    fn take(&mut self) -> Option<Message> {
        let fits = |message: &Message| !self.is_calm || message.is_awaited;
        let places: Vec<usize> = (0..self.network.len()).filter(|index| fits(&self.network[*index])).collect();
        let place = self.random.choice(places)?;
        Some(self.network.swap_remove(place))
    }

    /// A participant that forgets refusals cannot stand a second copy of what it refused.
    fn may_double(&self, message: &Message) -> bool {
        message.call.direction == Direction::Compensation || self.plan.steps()[message.call.step.0].keeps_refusals
    }
}
