//! From a decision to one write of the journal: the next record with the requests of what is about to be sent, the
//! history, and the events that the world hears of it.

use std::sync::Arc;

use saga::{Act, Announcement, Call, Command, Decision, Event, Fact, Moment, Saga};
use service_kit::ids::Ids;
use service_kit::outbox;

use crate::alerts;
use crate::exposure::Exposure;
use crate::journal::{Append, Record};
use crate::plans::{self, Announced, Ask, Definition};

/// A write that is ready to go, and the calls that may go out once it is durable.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) append: Append,
    pub(super) calls: Vec<Call>,
}

impl Writing {
    /// Prepares the write that takes `record` to what was decided.
    pub(super) fn new(record: &Record, definition: &dyn Definition, decision: Decision, at: Moment, ids: &Ids) -> Self {
        let Decision { saga, commands, facts } = decision;
        let mut next = record.clone();
        next.saga = saga;
        next.version += 1;
        // Clocks of replicas differ; the times of one saga do not go back, and neither does the order of its events.
        next.update_time = at.now_ms.max(record.update_time);
        let (commands, facts) = match set_requests(&mut next, definition, &commands) {
            Ok(()) => (commands, facts),
            Err(reason) => {
                let decision = Decision { saga: next.saga.clone(), commands, facts };
                let parked = park(decision, definition, at, reason);
                next.saga = parked.saga;
                (parked.commands, parked.facts)
            }
        };
        let announced = commands.iter().filter_map(|command| match command {
            Command::Announce(announcement) => announce((&next, &facts), definition, *announcement),
            Command::Send(_) => None,
        });
        let events = announced.map(|announced| event(&next, announced, ids.next(at.now_ms))).collect();
        let calls = super::calls(&commands).collect();
        let exposure = Exposure::of(definition, &next);
        Self { append: Append { next: Arc::new(next), facts, events, exposure }, calls }
    }
}

/// Makes the requests of calls that go out for the first time.
fn set_requests(next: &mut Record, definition: &dyn Definition, commands: &[Command]) -> Result<(), String> {
    for call in super::calls(commands) {
        if next.saga.request(call.step, call.direction).is_none() {
            let bytes = definition.request(Ask::new(definition.plan(), next, call))?;
            next.saga.set_request(call.step, call.direction, bytes);
        }
    }
    Ok(())
}

/// A saga whose request cannot be made waits for a person.
fn park(decision: Decision, definition: &dyn Definition, at: Moment, reason: String) -> Decision {
    let act = Act { by: "orchestrator".into(), reason: format!("the request cannot be made: {reason}") };
    let parked = decision.then(definition.plan(), &Event::Suspend(act), at);
    parked.expect("a saga that is about to send is open and not suspended, so it can be suspended")
}

fn announce(
    (record, facts): (&Record, &[Fact]),
    definition: &dyn Definition,
    announcement: Announcement,
) -> Option<Announced> {
    match announcement {
        Announcement::Completed | Announcement::Compensated => definition.event(record, announcement),
        Announcement::Suspended => Some(alerts::suspended(record, step_in_trouble(definition, &record.saga))),
        Announcement::Resumed => Some(alerts::resumed(record, facts)),
        Announcement::Alarm(call) => {
            let step = plans::step(definition, call.step).id;
            tracing::error!(saga.id = %record.id, step, attempt = call.attempt, "a call that may not fail goes on failing");
            None
        }
    }
}

/// The first step that cannot go on by itself.
fn step_in_trouble(definition: &dyn Definition, saga: &Saga) -> &'static str {
    let mut steps = saga.steps().iter().zip(definition.plan().steps());
    let stuck = steps.find(|(state, _)| {
        state.status.is_in_doubt() || state.forward.stuck.is_some() || state.compensation.stuck.is_some()
    });
    stuck.map_or("", |(_, step)| step.id)
}

fn event(record: &Record, announced: Announced, id: uuid::Uuid) -> outbox::Event {
    let about = if record.reference.is_empty() { &record.subject } else { &record.reference };
    // Alerts of a saga stay together, also those of one whose row cannot be read.
    let partition = if announced.aggregate.starts_with("sagas/") { &announced.aggregate } else { about }.clone();
    outbox::Event {
        bucket: 0,
        id,
        aggregate: announced.aggregate,
        kind: announced.kind.to_owned(),
        saga: Some(record.id),
        data: announced.data,
        create_time: record.update_time,
        partition,
        version: record.version,
    }
}
