//! Pages of sagas, under whichever name they are shown: what to list, from where, and how the next page is asked for.

use service_kit::refusal::Fault;
use service_kit::{filter, ids, page};
use uuid::Uuid;

use super::token;
use super::wire::CATALOGUE;
use crate::faults;
use crate::journal::{Query, Record};
use crate::shards::Shards;

/// The states of a saga that go by one name, and that name.
pub(crate) type Named = (&'static str, &'static [&'static str]);

/// What may be listed, and by what.
pub(crate) struct Catalogue {
    /// The only kind of saga in it.
    pub(crate) kind: Option<&'static str>,
    /// What a filter may name.
    pub(crate) fields: &'static [&'static str],
    /// The names of states, each with those that a saga which shows it may be in.
    pub(crate) states: &'static [Named],
    /// The name of the state that a saga shows.
    pub(crate) shows: fn(&Record) -> &'static str,
}

/// A caller's request for a page.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ask<'a> {
    pub(crate) filter: &'a str,
    pub(crate) page_size: i32,
    pub(crate) page_token: &'a str,
    pub(crate) order_by: &'a str,
}

/// A page to be fetched.
pub(crate) struct Listing<'a> {
    query: Query,
    state: Option<&'static str>,
    catalogue: &'a Catalogue,
}

/// A fetched page. It may be short, or even empty, and yet not be the last one.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<Record>,
    /// Asks for the next one; empty when there is none.
    pub(crate) next: String,
}

impl Ask<'_> {
    pub(crate) fn read<'c>(&self, catalogue: &'c Catalogue) -> Result<Listing<'c>, Fault> {
        let limit = page::size(self.page_size)?;
        let before = match self.page_token {
            "" => None,
            token => Some(place(token)?),
        };
        let words: Vec<_> = self.order_by.split_whitespace().collect();
        if !matches!(words[..], [] | ["create_time", "desc"]) {
            return Err(Fault::field("order_by", "must be \"create_time desc\" or empty; there is no other order yet"));
        }
        let kind = catalogue.kind.map(str::to_owned);
        let query = Query { kind, before, limit, ..Query::default() };
        let mut listing = Listing { query, state: None, catalogue };
        for (field, value) in filter::conditions(self.filter, catalogue.fields)? {
            listing.narrow(field, value)?;
        }
        Ok(listing)
    }
}

/// The open sagas that a filter finds. Nothing can be done to those that have ended.
pub(crate) fn open_sagas(filter: &str) -> Result<Query, Fault> {
    let mut query = Ask { filter, ..Ask::default() }.read(&CATALOGUE)?.query;
    let ended = ["completed", "compensated"];
    if query.states.is_empty() {
        query.states = CATALOGUE.states.iter().flat_map(|(_, states)| *states).copied().collect();
        query.states.retain(|state| !ended.contains(state));
    } else if query.states.iter().any(|state| ended.contains(state)) {
        return Err(Fault::field("filter", "asks for sagas that have ended; nothing can be done to them"));
    }
    Ok(query)
}

impl Listing<'_> {
    fn narrow(&mut self, field: &str, value: &str) -> Result<(), Fault> {
        let value = value.to_owned();
        match field {
            "kind" => self.query.kind = Some(value),
            "customer" => {
                ids::name("filter", &value, "customers")?;
                self.query.subject = Some(value);
            }
            "reservation" => {
                ids::name("filter", &value, "reservations")?;
                self.query.reference = Some(value);
            }
            _ => {
                let states = self.catalogue.states;
                let Some((name, states)) = states.iter().find(|(name, _)| *name == value) else {
                    let names: Vec<_> = states.iter().map(|(name, _)| *name).collect();
                    let problem = format!("names the state {value}, which is none of {}", names.join(", "));
                    return Err(Fault::field("filter", problem));
                };
                self.state = Some(name);
                self.query.states = states.to_vec();
            }
        }
        Ok(())
    }

    pub(crate) async fn page(self, shards: &Shards) -> Result<Page, Fault> {
        let mut page = fetch(shards, self.query).await?;
        let shows = self.catalogue.shows;
        page.records.retain(|record| self.state.is_none_or(|state| shows(record) == state));
        Ok(page)
    }
}

/// The page that `query` asks for.
pub(super) async fn fetch(shards: &Shards, mut query: Query) -> Result<Page, Fault> {
    let size = query.limit;
    // One more tells whether there is a next page.
    query.limit += 1;
    let records = shards.list(&query).await.map_err(faults::of_journal)?;
    let (records, next) = page::cut(records, size, token_of);
    Ok(Page { records, next })
}

fn token_of(last: &Record) -> String {
    token::write(&[token::unsigned(last.create_time), last.id.as_u128()])
}

/// The place that a page token stands for.
pub(super) fn place(token: &str) -> Result<(i64, Uuid), Fault> {
    let [time, id] = token::read(token)?;
    Ok((token::signed(time), Uuid::from_u128(id)))
}
