//! Pages of sagas, newest first. Each kind of list has a statement of its own that walks one index from the last page's
//! end; what else is asked for is looked at on the way.

use service_kit::args;
use service_kit::db::{self, Arg, Db, FromRow, Row};
use uuid::Uuid;

use super::row::{self, select};
use super::rows;
use crate::journal::{Error, Query, Record};

/// The states of sagas that have not ended, by name.
const OPEN_STATES: [&str; 5] = ["running", "completing", "arbitrating", "compensating", "suspended"];
/// The states of those that have.
const END_STATES: [&str; 2] = ["completed", "compensated"];

macro_rules! page {
    ($condition:literal) => {
        select!(concat!(
            "where ",
            $condition,
            "(create_time, id) < ($1, $2) and (kind = $3 or $3 is null) \
             and (reference = $4 or $4 is null) and state in ($5, $6, $7, $8, $9, $10, $11) \
             order by create_time desc, id desc limit $12"
        ))
    };
}

const NEWEST: &str = page!("");
const OPEN: &str = page!("end_time is null and ");
const OF_SUBJECT: &str = page!("subject = $13 and ");
const OF_REFERENCE: &str = page!("reference = $13 and ");

/// A row with its place in the list, whatever else it holds.
struct Placed {
    place: (i64, Uuid),
    record: Result<Record, db::Error>,
}

impl FromRow for Placed {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { place: (row.get(11)?, row.get(0)?), record: row::decode(row) })
    }
}

/// The page that `query` asks for. A row that cannot be read makes place for the next one.
pub(super) async fn list(db: &Db, query: &Query) -> Result<Vec<Record>, Error> {
    let mut rest = query.clone();
    let mut page = Vec::new();
    loop {
        let asked = rest.clone();
        let placed: Vec<Placed> = db
            .read(async move |tx| {
                let (sql, args) = statement(&asked);
                tx.fetch_all(sql, &args).await
            })
            .await?;
        let is_last = placed.len() < rest.limit;
        rest.before = placed.last().map(|placed| placed.place);
        page.extend(placed.into_iter().filter_map(readable));
        rest.limit = query.limit - page.len();
        if is_last || rest.limit == 0 {
            return Ok(page);
        }
    }
}

fn statement(query: &Query) -> (&'static str, Vec<Arg<'_>>) {
    let states = || OPEN_STATES.into_iter().chain(END_STATES);
    let wanted = |state: &&str| query.states.is_empty() || query.states.contains(state);
    let (before_time, before_id) = query.before.unwrap_or((i64::MAX, Uuid::max()));
    let mut args = args![before_time, before_id, query.kind.as_ref(), query.reference.as_ref()].to_vec();
    args.extend(states().map(|state| Arg::from(Some(state).filter(wanted))));
    args.push(rows(query.limit).into());
    let sql = match (&query.subject, &query.reference) {
        (Some(subject), _) => {
            args.push(subject.into());
            OF_SUBJECT
        }
        (None, Some(reference)) => {
            args.push(reference.into());
            OF_REFERENCE
        }
        (None, None) if END_STATES.iter().any(wanted) => NEWEST,
        (None, None) => OPEN,
    };
    (sql, args)
}

fn readable(placed: Placed) -> Option<Record> {
    let (_, id) = placed.place;
    placed.record.inspect_err(|error| tracing::warn!(saga.id = %id, %error, "a saga's row cannot be listed")).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use service_kit::clock::ManualClock;

    use super::*;

    /// How SQLite goes about the list.
    async fn plan(query: &Query) -> String {
        let db = Db::open_inline(None, Arc::new(ManualClock::at(0))).unwrap();
        db.migrate("orchestrator", migrations::orchestrator::MIGRATIONS).await.unwrap();
        let query = query.clone();
        let plan: Vec<(i64, i64, i64, String)> = db
            .read(async move |tx| {
                let (sql, args) = statement(&query);
                let explain: &'static str = Box::leak(format!("explain query plan {sql}").into_boxed_str());
                tx.fetch_all(explain, &args).await
            })
            .await
            .unwrap();
        plan.into_iter().map(|(.., detail)| detail).collect::<Vec<_>>().join("; ")
    }

    #[tokio::test]
    async fn every_list_walks_one_index_and_sorts_nothing() {
        let (subject, reference) = (Some("customers/1".to_owned()), Some("reservations/1".to_owned()));
        for (index, query) in [
            ("newest", Query::default()),
            ("newest", Query { states: vec!["completed", "running"], ..Query::default() }),
            ("open", Query { states: vec!["suspended"], ..Query::default() }),
            ("subject", Query { subject: subject.clone(), reference: reference.clone(), ..Query::default() }),
            ("reference", Query { reference, states: vec!["suspended"], ..Query::default() }),
        ] {
            let plan = plan(&query).await;
            assert!(plan.starts_with("SEARCH") && !plan.contains("; "), "{plan}");
            assert!(plan.contains(&format!("orchestrator_saga_{index} ")), "{query:?}: {plan}");
        }
    }
}
