//! One saga as a tree: its steps by stage, each with all its attempts, and the history below. Where a saga stands comes
//! from its record, what happened on the way from its history.

use saga::{Direction, Plan, Step, StepIndex, StepState};
use service_kit::refusal::Fault;

use super::act::Acting;
use super::text;
use crate::desk::Desk;
use crate::faults;
use crate::journal::{Entry, Record};
use crate::plans::Told;
use crate::status::history::summary;
use crate::status::wire::failure_of;

mod attempts;

use attempts::{Attempt, Axis, attempts};

/// Versions that are shown; a saga that backs off for days has more.
const VERSIONS: i64 = 200;
/// Entries that are shown.
const ENTRIES: usize = 1_000;

/// What stands on the page.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) version: i64,
    /// What may be done to it now, by name.
    pub(super) verbs: String,
    pub(super) state: &'static str,
    pub(super) meaning: &'static str,
    pub(super) from: &'static str,
    pub(super) failure: Option<Failed>,
    /// What it is about, then how it is driven: names and values.
    pub(super) about: Vec<(&'static str, String)>,
    pub(super) driven: Vec<(&'static str, String)>,
    pub(super) span: String,
    pub(super) stages: Vec<Vec<Node>>,
    pub(super) entries: Vec<Happened>,
    pub(super) older: bool,
}

/// Why it stops or has stopped.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) code: String,
    pub(super) text: String,
}

/// One step.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: &'static str,
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) forward: &'static str,
    pub(super) compensation: &'static str,
    pub(super) attempts: Vec<Attempt>,
    pub(super) next: String,
    pub(super) stuck: String,
}

/// One entry of the history.
#[derive(Debug)]
pub(super) struct Happened {
    pub(super) version: i64,
    /// It came about together with the entry above.
    pub(super) same: bool,
    pub(super) offset: String,
    pub(super) time: String,
    pub(super) kind: &'static str,
    pub(super) summary: String,
}

impl Tree {
    pub(super) async fn fetch(desk: &Desk, record: &Record) -> Result<Self, Fault> {
        let after = (record.version - VERSIONS).max(0);
        let history = desk.shards.history(record.id, (after, 0), ENTRIES).await.map_err(faults::of_journal)?;
        let history: Vec<_> = history.into_iter().filter(|entry| entry.version <= record.version).collect();
        Ok(Self::new(desk, record, &history))
    }

    fn new(desk: &Desk, record: &Record, history: &[Entry]) -> Self {
        let now_ms = desk.clock.now_ms();
        let saga = &record.saga;
        let state = saga.state();
        let plan = desk.plans.plan_of(record);
        let end_ms = saga.ended_ms().unwrap_or(now_ms);
        let axis = Axis { start_ms: record.create_time, end_ms };
        let from = saga.phase().filter(|_| saga.is_suspended());
        let failure = failure_of(saga).filter(|_| state.name() != "completed");
        Self {
            id: record.id.to_string(),
            kind: record.kind.clone(),
            version: record.version,
            verbs: Acting::on(desk, record, "").verbs.join(" "),
            state: state.name(),
            meaning: text::meaning(state),
            from: from.map_or("", |phase| saga::State::from(phase).name()),
            failure: failure.map(|failure| Failed { code: text::code(failure.code), text: text::failure(failure) }),
            about: about(desk, record),
            driven: driven(record),
            span: text::length(end_ms - record.create_time),
            stages: stages(lines(desk, record), history, axis),
            entries: history.iter().map(|entry| happened(record, plan, entry)).collect(),
            older: record.version > VERSIONS,
        }
    }
}

/// Each line of the plan with what is known of it; nothing when this build does not know the plan.
pub(super) fn lines<'a>(
    desk: &Desk,
    record: &'a Record,
) -> impl Iterator<Item = (&'static Step, &'a StepState)> + use<'a> {
    let lines = desk.plans.plan_of(record).map_or(&[][..], Plan::steps);
    lines.iter().zip(record.saga.steps())
}

fn stages<'a>(
    lines: impl Iterator<Item = (&'static Step, &'a StepState)>,
    history: &[Entry],
    axis: Axis,
) -> Vec<Vec<Node>> {
    let mut stages: Vec<(usize, Vec<Node>)> = Vec::new();
    for (index, (line, step)) in lines.enumerate() {
        let node = node(line, step, attempts(StepIndex(index), history, axis));
        match stages.last_mut() {
            Some((stage, nodes)) if *stage == line.stage => nodes.push(node),
            _ => stages.push((line.stage, vec![node])),
        }
    }
    stages.into_iter().map(|(_, nodes)| nodes).collect()
}

fn node(line: &'static Step, step: &StepState, attempts: Vec<Attempt>) -> Node {
    let legs = [step.leg(Direction::Forward), step.leg(Direction::Compensation)];
    Node {
        id: line.id,
        kind: match line.kind {
            saga::Kind::Compensatable => "compensatable",
            saga::Kind::Pivot => "pivot",
            saga::Kind::Retriable => "retriable",
        },
        status: text::status(step.status),
        forward: line.forward,
        compensation: line.compensation.unwrap_or_default(),
        attempts,
        next: legs.iter().find_map(|leg| leg.next_ms).map(text::time).unwrap_or_default(),
        stuck: legs.iter().find_map(|leg| leg.stuck.as_ref()).map(text::failure).unwrap_or_default(),
    }
}

fn happened(record: &Record, plan: Option<&Plan>, entry: &Entry) -> Happened {
    Happened {
        version: entry.version,
        same: entry.position > 1,
        offset: text::length(entry.time - record.create_time),
        time: text::time(entry.time),
        kind: entry.fact.name(),
        summary: summary::of(plan, &entry.fact),
    }
}

fn about(desk: &Desk, record: &Record) -> Vec<(&'static str, String)> {
    let mut about = vec![("customer", record.subject.clone()), ("reservation", record.reference.clone())];
    if let Some(definition) = desk.plans.of(record) {
        about.extend(definition.amount(record).map(|amount| ("amount", text::amount(amount))));
        about.extend(definition.about(record).into_iter().map(|(name, told)| (name, shown(told))));
    }
    about.retain(|(_, value)| !value.is_empty());
    about
}

fn shown(told: Told) -> String {
    match told {
        Told::Text(text) => text,
        Told::Amount(amount) => text::amount(amount),
    }
}

fn driven(record: &Record) -> Vec<(&'static str, String)> {
    let saga = &record.saga;
    let since = |ms: i64| format!("{} after its start", text::length(ms - record.create_time));
    let mut driven = vec![("accepted", text::time(record.create_time))];
    driven.extend(saga.decided_ms().map(|ms| ("decided", since(ms))));
    driven.extend(saga.ended_ms().map(|ms| ("ended", since(ms))));
    if saga.decided_ms().is_none() {
        driven.push(("deadline", text::time(saga.deadline_ms())));
    }
    driven.extend(saga.next_wake_ms().map(|ms| ("next wake-up", text::time(ms))));
    driven.push(("version", record.version.to_string()));
    driven.push(("owner", format!("{}, epoch {}", record.owner, record.epoch)));
    driven.push(("plan", format!("{} {}", record.kind, record.plan_version)));
    driven
}
