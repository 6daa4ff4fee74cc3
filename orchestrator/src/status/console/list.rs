//! The list of sagas: what a visitor wants to see, and each saga as a line.

use service_kit::refusal::Fault;

use super::exposure::Exposure;
use super::text;
use crate::desk::Desk;
use crate::journal::{Query, Record};
use crate::status::listing::{self, Named};
use crate::status::wire::{CATALOGUE, failure_of};

/// Lines on a page.
const LINES: usize = 50;

/// What a visitor wants to see, as the form has it. What makes no sense finds nothing, or is left out.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) state: Option<&'static Named>,
    pub(super) customer: String,
    pub(super) reservation: String,
    pub(super) page: String,
}

impl Wanted {
    pub(super) fn read(parameters: Vec<(String, String)>) -> Self {
        let mut wanted = Self::default();
        for (name, value) in parameters {
            let value = value.trim();
            match name.as_str() {
                "state" => wanted.state = CATALOGUE.states.iter().find(|(name, _)| *name == value),
                "customer" => wanted.customer = value.to_owned(),
                "reservation" => wanted.reservation = value.to_owned(),
                "page" => wanted.page = value.to_owned(),
                _ => {}
            }
        }
        wanted
    }

    fn query(&self) -> Query {
        Query {
            kind: None,
            subject: named("customers", &self.customer),
            reference: named("reservations", &self.reservation),
            states: self.state.map(|(_, states)| states.to_vec()).unwrap_or_default(),
            before: listing::place(&self.page).ok(),
            limit: LINES,
        }
    }

    pub(super) fn is(&self, state: &str) -> bool {
        self.state.is_some_and(|(name, _)| *name == state)
    }
}

/// People paste whole names or the id alone.
fn named(collection: &str, text: &str) -> Option<String> {
    let id = text.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    (!id.is_empty()).then(|| format!("{collection}/{id}"))
}

/// What stands on the page.
#[derive(Debug)]
pub(super) struct List {
    pub(super) wanted: Wanted,
    pub(super) states: Vec<&'static str>,
    pub(super) lines: Vec<Line>,
    /// Asks for older ones; empty when there are none.
    pub(super) next: String,
    /// Sagas that this process drives.
    pub(super) driven: usize,
    /// What all open ones come to.
    pub(super) exposure: Exposure,
}

/// One saga.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) state: &'static str,
    pub(super) reason: String,
    /// The name, and a short form of it.
    pub(super) customer: (String, String),
    pub(super) reservation: (String, String),
    pub(super) amount: String,
    pub(super) steps: Vec<(&'static str, &'static str)>,
    pub(super) created: String,
    pub(super) age: String,
    pub(super) took: String,
}

impl List {
    pub(super) async fn fetch(desk: &Desk, wanted: Wanted) -> Result<Self, Fault> {
        let exposure = Exposure::fetch(desk).await?;
        let page = listing::fetch(&desk.shards, wanted.query()).await?;
        let now_ms = desk.clock.now_ms();
        Ok(Self {
            wanted,
            states: CATALOGUE.states.iter().map(|(name, _)| *name).collect(),
            lines: page.records.iter().map(|record| Line::new(desk, record, now_ms)).collect(),
            next: page.next,
            driven: desk.shards.driven(),
            exposure,
        })
    }
}

impl Line {
    fn new(desk: &Desk, record: &Record, now_ms: i64) -> Self {
        let saga = &record.saga;
        let amount = desk.plans.of(record).and_then(|definition| definition.amount(record));
        let failure = failure_of(saga).filter(|_| saga.state().name() != "completed");
        let steps = super::tree::lines(desk, record).map(|(line, step)| (line.id, text::status(step.status)));
        Self {
            id: record.id.to_string(),
            kind: record.kind.clone(),
            state: saga.state().name(),
            reason: failure.map(text::failure).unwrap_or_default(),
            customer: (record.subject.clone(), text::short(&record.subject)),
            reservation: (record.reference.clone(), text::short(&record.reference)),
            amount: amount.map(text::amount).unwrap_or_default(),
            steps: steps.collect(),
            created: text::time(record.create_time),
            age: text::length(now_ms - record.create_time),
            took: saga.ended_ms().map_or("open".into(), |ended_ms| text::length(ended_ms - record.create_time)),
        }
    }
}
