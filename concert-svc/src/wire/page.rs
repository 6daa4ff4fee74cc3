//! What all lists share: page sizes, page tokens, and filters of the form `key = value AND key = "value"`.

use service_kit::ids;
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::state::State;

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 1_000;
/// Longest filter that is looked at.
const MAX_FILTER: usize = 1_024;

/// How many rows a page has.
pub(crate) fn size(page_size: i32) -> Result<usize, Fault> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(DEFAULT_SIZE),
        Ok(size) => Ok(size.min(MAX_SIZE)),
        Err(_) => Err(Fault::field("page_size", "must not be negative")),
    }
}

/// The rows that a statement must look for: one more than the page has tells whether there is a next one.
pub(crate) fn limit(size: usize) -> i64 {
    size as i64 + 1
}

/// Cuts the rows to a page; the token of the next one is that of its last row.
pub(crate) fn cut<T>(mut rows: Vec<T>, size: usize, token: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(token).unwrap_or_default();
    (rows, next)
}

/// A page token of rows in order of a time and, at the same time, of their id.
pub(crate) fn time_token(time: i64, id: Uuid) -> String {
    format!("{time}.{id}")
}

/// Reads [`time_token`]; an empty one stands before all rows.
pub(crate) fn after_time(token: &str) -> Result<(i64, Uuid), Fault> {
    if token.is_empty() {
        return Ok((i64::MIN, Uuid::nil()));
    }
    let parts = token.split_once('.').ok_or_else(foreign)?;
    let time = parts.0.parse().map_err(|_| foreign())?;
    Ok((time, ids::uuid("page_token", parts.1).map_err(|_| foreign())?))
}

/// Reads a page token that a number or an id makes up; an empty one means `first`.
pub(crate) fn after<T: std::str::FromStr>(token: &str, first: T) -> Result<T, Fault> {
    if token.is_empty() { Ok(first) } else { token.parse().map_err(|_| foreign()) }
}

/// Reads a page token that is the id of a seat; an empty one stands before all seats.
pub(crate) fn after_seat(token: &str) -> Result<String, Fault> {
    if token.is_empty() { Ok(String::new()) } else { super::seat_id("page_token", token).map_err(|_| foreign()) }
}

fn foreign() -> Fault {
    Fault::field("page_token", "must be the next_page_token of an earlier answer")
}

/// The terms of a filter.
#[derive(Debug)]
pub(crate) struct Filter<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Filter<'a> {
    /// Reads a filter that may name each of `keys` once.
    pub(crate) fn parse(text: &'a str, keys: &[&str]) -> Result<Self, Fault> {
        let malformed = || {
            let form = format!("must be terms like {} = value, joined by AND", keys.join(" or "));
            Fault::field("filter", form)
        };
        let mut terms: Vec<(&str, &str)> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (term, after) = term(rest)
                .filter(|((key, _), _)| text.len() <= MAX_FILTER && keys.contains(key))
                .filter(|((key, _), _)| terms.iter().all(|(other, _)| other != key))
                .ok_or_else(malformed)?;
            terms.push(term);
            rest = after;
        }
        Ok(Self(terms))
    }

    /// The value that `key` must have.
    pub(crate) fn value(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// The state that `key` must be.
    pub(crate) fn state<S: State>(&self) -> Result<Option<S>, Fault> {
        let state = self.value("state").map(|name| {
            let names: Vec<_> = S::ALL.iter().map(|state| state.name()).collect();
            let problem = || format!("may ask for state {}", names.join(", "));
            S::named(name).ok_or_else(|| Fault::field("filter", problem()))
        });
        state.transpose()
    }
}

/// The first term, and what follows its AND.
fn term(text: &str) -> Option<((&str, &str), &str)> {
    let (key, rest) = text.split_once('=')?;
    let rest = rest.trim_start();
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
    };
    let after = match rest.trim_start() {
        "" => "",
        rest => rest.strip_prefix("AND ").filter(|more| !more.trim().is_empty())?.trim_start(),
    };
    (!value.is_empty()).then_some(((key.trim_end(), value), after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SeatState;

    const KEYS: &[&str] = &["state", "grade"];

    #[test]
    fn a_filter_is_terms_joined_by_and() {
        let filter = Filter::parse(r#" state=HELD AND grade = "VIP AND more" "#, KEYS).unwrap();
        assert_eq!(filter.value("grade"), Some("VIP AND more"));
        assert_eq!(filter.state::<SeatState>().unwrap(), Some(SeatState::Held));
        assert!(Filter::parse("", KEYS).unwrap().value("state").is_none());
    }

    #[test]
    fn any_other_filter_is_refused() {
        let many = "x".repeat(MAX_FILTER);
        for text in [
            "state",
            "state=",
            "state=HELD AND",
            "state=HELD grade=VIP",
            "state=HELD OR grade=VIP",
            "price=3",
            "state=HELD AND state=SOLD",
            "grade = \"VIP",
            &format!("grade={many}"),
        ] {
            assert!(Filter::parse(text, KEYS).is_err(), "{text}");
        }
        let filter = Filter::parse("state=LOST", KEYS).unwrap();
        assert!(filter.state::<SeatState>().is_err());
    }

    #[test]
    fn a_page_knows_whether_there_is_a_next_one() {
        let token = |row: &i32| row.to_string();
        assert_eq!(cut(vec![1, 2], 2, token), (vec![1, 2], String::new()));
        assert_eq!(cut(vec![1, 2, 3], 2, token), (vec![1, 2], "2".to_owned()));
        assert_eq!(size(0).unwrap(), 50);
        assert_eq!(size(5_000).unwrap(), 1_000);
        assert!(size(-1).is_err());
    }

    #[test]
    fn a_page_token_reads_back_and_a_foreign_one_does_not() {
        let id = Uuid::from_u128(7);
        assert_eq!(after_time(&time_token(-3, id)).unwrap(), (-3, id));
        assert!(after_time("").unwrap() < (0, id));
        for token in ["x", "1.x", ".", "1"] {
            assert!(after_time(token).is_err(), "{token}");
        }
        assert!(after::<i64>("x", -1).is_err());
    }
}
