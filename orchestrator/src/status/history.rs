//! The history of a saga as messages, and each entry as a line for people.

use pb::saga::State as Shown;
use pb::saga_event::Kind;
use proto::orchestrator::v1 as pb;
use saga::{Direction, Fact, Plan};
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;

use super::{SAGAS, token, wire};
use crate::desk::Desk;
use crate::faults;
use crate::journal::{Entry, Record};

pub(super) mod summary;

/// The place behind an entry, with what the next one needs of those before it.
#[derive(Debug, Clone, Copy)]
struct Place {
    version: i64,
    position: i64,
    sequence: i64,
    state: Shown,
}

impl Place {
    const START: Self = Self { version: 0, position: 0, sequence: 0, state: Shown::Running };

    fn read(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Ok(Self::START);
        }
        let [version, position, sequence, state] = token::read(text)?.map(token::signed);
        let state = i32::try_from(state).ok().and_then(|state| Shown::try_from(state).ok());
        Ok(Self { version, position, sequence, state: state.unwrap_or_default() })
    }

    fn write(self) -> String {
        let state = i64::from(i32::from(self.state));
        token::write(&[self.version, self.position, self.sequence, state].map(token::unsigned))
    }

    fn after(self, entry: &Entry) -> Self {
        let state = if let Fact::Turned { to, .. } = &entry.fact { wire::state(to) } else { self.state };
        Self { version: entry.version, position: entry.position, sequence: self.sequence + 1, state }
    }
}

/// A page of a saga's history.
pub(super) async fn page(
    desk: &Desk,
    request: &pb::ListSagaEventsRequest,
) -> Result<pb::ListSagaEventsResponse, Fault> {
    let id = SAGAS.id("parent", &request.parent)?;
    let size = service_kit::page::size(request.page_size)?;
    let mut place = Place::read(&request.page_token)?;
    let record = desk.load(&SAGAS, id).await?;
    let plan = desk.plans.plan_of(&record);
    let after = (place.version, place.position);
    // One more tells whether there is a next page.
    let entries = desk.shards.history(id, after, size + 1).await.map_err(faults::of_journal)?;
    let events = entries.iter().take(size).map(|entry| {
        place = place.after(entry);
        event(&record, plan, entry, place)
    });
    let events = events.collect();
    let next_page_token = if entries.len() > size { place.write() } else { String::new() };
    Ok(pb::ListSagaEventsResponse { events, next_page_token })
}

fn event(record: &Record, plan: Option<&Plan>, entry: &Entry, place: Place) -> pb::SagaEvent {
    let fact = &entry.fact;
    let call = fact.call();
    let mut event = pb::SagaEvent {
        version: entry.version,
        sequence: place.sequence,
        create_time: Some(timestamp(entry.time)),
        kind: kind(fact).into(),
        step_id: fact.step().map_or("", |step| summary::step(plan, step)).to_owned(),
        compensation: call.is_some_and(|call| call.direction == Direction::Compensation),
        attempt: call.map_or(0, |call| i32::try_from(call.attempt).unwrap_or(i32::MAX)),
        state: place.state.into(),
        epoch: entry.epoch,
        summary: summary::of(plan, fact),
        ..Default::default()
    };
    match fact {
        Fact::Answered { class, failure, .. } => {
            event.outcome = wire::outcome(*class).into();
            event.status = failure.as_ref().map(wire::failure);
        }
        Fact::Turned { cause, .. } => event.status = cause.as_ref().map(wire::failure),
        Fact::Intervened { by, reason, .. } => (event.actor, event.reason) = (by.clone(), reason.clone()),
        Fact::Resolved { by, reason, evidence, .. } => {
            (event.actor, event.reason) = (by.clone(), reason.clone());
            event.evidence = evidence.clone();
        }
        Fact::Started | Fact::Skipped(_) | Fact::Intended(_) | Fact::Abandoned(_) | Fact::Adopted | Fact::Alarm(_) => {}
    }
    if event.actor.is_empty() && entry.epoch == record.epoch {
        event.actor = record.owner.to_string();
    }
    event
}

fn kind(fact: &Fact) -> Kind {
    match fact {
        Fact::Started => Kind::Accepted,
        Fact::Intended(_) => Kind::Intent,
        Fact::Answered { .. } | Fact::Abandoned(_) | Fact::Alarm(_) => Kind::Result,
        Fact::Skipped(_) | Fact::Turned { .. } => Kind::Decision,
        Fact::Adopted => Kind::Adoption,
        Fact::Intervened { .. } | Fact::Resolved { .. } => Kind::Intervention,
    }
}
