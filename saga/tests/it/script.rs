//! Scenarios as text: what the participants answer, and what the saga does.
//!
//! Answers are `call: answer, answer; call: …`, where a call is `do <step>` or `compensate <step>`. An answer is `done`,
//! `refused [REASON]`, `not executed`, `in doubt`, `overloaded`, `pending`, `contract` or `lie`; with ` xN` it is given N
//! times, with ` always` for ever. `late` lets everything else go first. `cancel`, `abort`, `suspend` and `adopt` happen
//! while the call is in flight. What has no answer is done.

use std::collections::{HashMap, VecDeque};

use saga::{
    Act, Announcement, Call, Command, Decision, Direction, Event, Fact, Failure, Illegal, Moment, Outcome, Plan, Saga,
    StepIndex, decide, invariants, start,
};

use crate::plans;

pub(crate) const DEADLINE_MS: i64 = 30_000;

/// Runs a saga to its end, or to where it needs a person, and compares what it did.
pub(crate) fn check(kind: &str, answers: &str, expected: &str) {
    let trace = Script::start(kind, answers).run().trace();
    assert_eq!(trace, expected, "\n  {kind}, where {answers}");
}

/// Decides with every invariant checked, on the saga and between saga, commands and facts.
pub(crate) fn decide_checked(plan: &Plan, saga: &Saga, event: &Event, at: Moment) -> Result<Decision, Illegal> {
    let decision = decide(plan, saga, event, at)?;
    // Debug builds have looked already.
    if !cfg!(debug_assertions) {
        assert_eq!(invariants::check(plan, &decision.saga), Ok(()), "{event:?}");
        assert_eq!(invariants::check_step(plan, saga, event, &decision.saga), Ok(()), "{event:?}");
    }
    check_commands(saga, &decision);
    Ok(decision)
}

/// A call is sent if and only if its intent is in the saga and in the history; an end is announced once.
fn check_commands(before: &Saga, decision: &Decision) {
    let sent: Vec<Call> = decision.commands.iter().filter_map(sent).collect();
    let is_new = |call: &Call| before.steps()[call.step.0].leg(call.direction).attempts < call.attempt;
    let mut intended: Vec<Call> = decision.saga.in_flight().filter(is_new).collect();
    intended.sort_by_key(|call| sent.iter().position(|sent| sent == call));
    assert_eq!(sent, intended);
    let facts: Vec<Call> =
        decision.facts.iter().filter(|fact| matches!(fact, Fact::Intended(_))).filter_map(Fact::call).collect();
    assert_eq!(sent, facts);
    let ends =
        |command: &&Command| matches!(command, Command::Announce(Announcement::Completed | Announcement::Compensated));
    let has_ended = before.is_open() && decision.saga.is_terminal();
    assert_eq!(decision.commands.iter().filter(ends).count(), usize::from(has_ended));
    let told = |what| decision.commands.iter().filter(|command| **command == Command::Announce(what)).count();
    let held = |saga: &Saga| usize::from(saga.is_suspended());
    // Whoever counts the two knows what waits for a person.
    assert_eq!(
        held(before) + told(Announcement::Suspended),
        held(&decision.saga) + told(Announcement::Resumed),
        "a saga is parked and let go in turns, and each is told"
    );
}

pub(crate) fn sent(command: &Command) -> Option<Call> {
    match command {
        Command::Send(call) => Some(*call),
        Command::Announce(_) => None,
    }
}

pub(crate) fn act() -> Act {
    Act { by: "operators/kim".to_owned(), reason: "asked for".to_owned() }
}

pub(crate) fn failure(reason: &str) -> Failure {
    Failure::new(14, reason, "told by a script")
}

/// One saga under a script.
pub(crate) struct Script {
    pub(crate) plan: &'static Plan,
    pub(crate) saga: Saga,
    pub(crate) now_ms: i64,
    turns: u32,
    queue: VecDeque<Call>,
    answers: HashMap<String, VecDeque<String>>,
    done: Vec<String>,
}

impl Script {
    pub(crate) fn start(kind: &str, answers: &str) -> Script {
        Script::start_without(kind, &[], answers)
    }

    pub(crate) fn start_without(kind: &str, skip: &[&str], answers: &str) -> Script {
        let plan = plans::named(kind);
        let skip: Vec<StepIndex> = skip.iter().map(|id| plan.find(id).expect("a step")).collect();
        let at = Moment { now_ms: 0, jitter: 25 };
        let decision = start(plan, DEADLINE_MS, &skip, at).expect("a saga");
        assert_eq!(invariants::check(plan, &decision.saga), Ok(()));
        let mut script = Script {
            plan,
            saga: decision.saga.clone(),
            now_ms: 0,
            turns: 0,
            queue: VecDeque::new(),
            answers: parse(answers),
            done: Vec::new(),
        };
        script.carry_out(decision);
        script
    }

    /// Answers, and lets time pass, until the saga ends or is suspended.
    pub(crate) fn run(mut self) -> Script {
        while self.step() {}
        self
    }

    /// Answers, and lets time pass, until this call is in flight.
    pub(crate) fn until(mut self, call: &str) -> Script {
        while !self.queue.iter().any(|queued| self.name(queued) == call) {
            assert!(self.step(), "{call} was never sent: {}", self.trace());
        }
        self
    }

    /// The next answer or the next moment. False if nothing more happens by itself.
    pub(crate) fn step(&mut self) -> bool {
        self.turns += 1;
        assert!(self.turns < 1_000, "no end in sight: {}", self.trace());
        if let Some(call) = self.queue.pop_front() {
            self.answer(call);
            return true;
        }
        match self.saga.next_wake_ms() {
            Some(wake_ms) if self.saga.is_open() => {
                self.now_ms = self.now_ms.max(wake_ms);
                self.apply(&Event::Woke).expect("something is due");
                true
            }
            _ => false,
        }
    }

    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), Illegal> {
        let at = Moment { now_ms: self.now_ms, jitter: 25 };
        let decision = decide_checked(self.plan, &self.saga, event, at)?;
        self.carry_out(decision);
        Ok(())
    }

    pub(crate) fn index(&self, id: &str) -> StepIndex {
        self.plan.find(id).expect("a step of the plan")
    }

    /// What was done, with repetitions counted.
    pub(crate) fn trace(&self) -> String {
        let mut runs: Vec<(&str, usize)> = Vec::new();
        for word in &self.done {
            match runs.last_mut() {
                Some((last, count)) if last == word => *count += 1,
                _ => runs.push((word, 1)),
            }
        }
        let words = runs.iter().map(|(word, count)| match count {
            1 => (*word).to_owned(),
            _ => format!("{word} x{count}"),
        });
        words.collect::<Vec<_>>().join("; ")
    }

    fn answer(&mut self, call: Call) {
        self.now_ms += 1;
        let name = self.name(&call);
        let answers = self.answers.entry(name).or_default();
        let answer = match answers.front() {
            Some(answer) if answer.ends_with(" always") => answer.trim_end_matches(" always").to_owned(),
            Some(_) => answers.pop_front().unwrap(),
            None => "done".to_owned(),
        };
        let happens = match answer.as_str() {
            "late" => return self.queue.push_back(call),
            "cancel" => Event::CancelRequested(act()),
            "abort" => Event::Abort(act()),
            "suspend" => Event::Suspend(act()),
            "adopt" => Event::Adopted,
            _ => return self.reply(call, outcome(&answer)),
        };
        // Once the saga is adopted, whoever waited for replies is gone.
        if happens == Event::Adopted {
            self.queue.clear();
        } else {
            self.queue.push_front(call);
        }
        self.apply(&happens).expect("it is allowed here");
    }

    /// A reply that nobody waits for must change nothing.
    fn reply(&mut self, call: Call, outcome: Outcome) {
        let is_awaited = self.saga.in_flight().any(|waiting| waiting == call);
        let event = Event::Attempted { call, outcome, elapsed_ms: 1 };
        let result = self.apply(&event);
        assert_eq!(result, if is_awaited { Ok(()) } else { Err(Illegal::Stale) });
    }

    fn carry_out(&mut self, decision: Decision) {
        self.saga = decision.saga;
        for command in decision.commands {
            match command {
                Command::Send(call) => {
                    self.done.push(self.name(&call));
                    self.queue.push_back(call);
                }
                Command::Announce(Announcement::Alarm(call)) => {
                    self.done.push(format!("alarm at {}", self.name(&call)))
                }
                Command::Announce(other) => self.done.push(format!("announce {other:?}").to_lowercase()),
            }
        }
    }

    fn name(&self, call: &Call) -> String {
        let id = self.plan.steps()[call.step.0].id;
        match call.direction {
            Direction::Forward => format!("do {id}"),
            Direction::Compensation => format!("compensate {id}"),
        }
    }
}

fn parse(answers: &str) -> HashMap<String, VecDeque<String>> {
    let lines = answers.split(';').filter(|line| !line.trim().is_empty());
    let parsed = lines.map(|line| {
        let (call, answers) = line.split_once(':').expect("call: answers");
        let answers = answers.split(',').flat_map(repeated);
        (call.trim().to_owned(), answers.collect())
    });
    parsed.collect()
}

fn repeated(answer: &str) -> Vec<String> {
    let answer = answer.trim();
    match answer.rsplit_once(" x") {
        Some((answer, count)) => vec![answer.to_owned(); count.parse().expect("a count")],
        None => vec![answer.to_owned()],
    }
}

pub(crate) fn outcome(answer: &str) -> Outcome {
    match answer {
        "done" => Outcome::Done { output: b"reply".to_vec(), skip: Vec::new() },
        "not executed" => Outcome::NotExecuted(failure("NOT_EXECUTED")),
        "in doubt" => Outcome::InDoubt(failure("IN_DOUBT")),
        "overloaded" => Outcome::Overloaded(failure("OVERLOADED"), 500),
        "pending" => Outcome::Pending(1_000),
        "contract" => Outcome::Contract(failure("CONTRACT")),
        "lie" => Outcome::Lie(failure("LIE")),
        "refused" => Outcome::Refused(failure("REFUSED")),
        _ => Outcome::Refused(failure(answer.strip_prefix("refused ").expect("an answer"))),
    }
}
