//! The page tokens of this service's lists, and the states that their filters ask for.

use service_kit::ids;
use service_kit::page::foreign_token;
use service_kit::refusal::Fault;
use service_kit::wire::millis_of;
use uuid::Uuid;

use crate::state::State;

/// A page token of rows in order of a time and, at the same time, of their id.
pub(crate) fn time_token(time: i64, id: Uuid) -> String {
    format!("{time}.{id}")
}

/// Reads [`time_token`]; an empty one stands before all rows, whichever way they are ordered.
pub(crate) fn after_time(token: &str, is_descending: bool) -> Result<(i64, Uuid), Fault> {
    if token.is_empty() {
        return Ok(if is_descending { (i64::MAX, Uuid::max()) } else { (i64::MIN, Uuid::nil()) });
    }
    let parts = token.split_once('.').ok_or_else(foreign_token)?;
    let time = parts.0.parse().map_err(|_| foreign_token())?;
    Ok((time, ids::uuid("page_token", parts.1).map_err(|_| foreign_token())?))
}

/// Reads a page token that a number or an id makes up; an empty one means `first`.
pub(crate) fn after<T: std::str::FromStr>(token: &str, first: T) -> Result<T, Fault> {
    if token.is_empty() { Ok(first) } else { token.parse().map_err(|_| foreign_token()) }
}

/// Reads a page token that is the id of a seat; an empty one stands before all seats.
pub(crate) fn after_seat(token: &str) -> Result<String, Fault> {
    if token.is_empty() { Ok(String::new()) } else { super::seat_id("page_token", token).map_err(|_| foreign_token()) }
}

/// The point in time that a filter asks for.
pub(crate) fn moment(text: Option<&str>) -> Result<Option<i64>, Fault> {
    let problem = || Fault::field("filter", "must give times as in RFC 3339, such as \"2027-01-31T18:00:00Z\"");
    text.map(|text| text.parse().ok().and_then(millis_of).ok_or_else(problem)).transpose()
}

/// The state that a filter asks for by name.
pub(crate) fn state<S: State>(name: Option<&str>) -> Result<Option<S>, Fault> {
    let state = name.map(|name| {
        let names: Vec<_> = S::ALL.iter().map(|state| state.name()).collect();
        let problem = || format!("may ask for state {}", names.join(", "));
        S::named(name).ok_or_else(|| Fault::field("filter", problem()))
    });
    state.transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SeatState;

    #[test]
    fn a_state_is_asked_for_by_its_name() {
        assert_eq!(state::<SeatState>(Some("HELD")).unwrap(), Some(SeatState::Held));
        assert_eq!(state::<SeatState>(None).unwrap(), None);
        assert!(state::<SeatState>(Some("LOST")).is_err());
    }

    #[test]
    fn a_page_token_reads_back_and_a_foreign_one_does_not() {
        let id = Uuid::from_u128(7);
        assert_eq!(after_time(&time_token(-3, id), true).unwrap(), (-3, id));
        assert!(after_time("", false).unwrap() < (0, id) && (0, id) < after_time("", true).unwrap());
        for token in ["x", "1.x", ".", "1"] {
            assert!(after_time(token, false).is_err(), "{token}");
        }
        assert!(after::<i64>("x", -1).is_err());
    }

    #[test]
    fn a_moment_is_a_time_with_its_zone() {
        assert_eq!(moment(Some("1970-01-01T00:00:01.5Z")).unwrap(), Some(1_500));
        assert_eq!(moment(Some("1970-01-01T09:00:00+09:00")).unwrap(), Some(0));
        assert_eq!(moment(None).unwrap(), None);
        for text in ["", "soon", "9999999-01-01T00:00:00Z", "1970-13-01T00:00:00Z"] {
            assert!(moment(Some(text)).is_err(), "{text}");
        }
    }
}
