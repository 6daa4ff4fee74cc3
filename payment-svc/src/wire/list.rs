//! What all lists and texts of this service share on the wire: page sizes, page tokens, filters, lengths.
//! A page token is the key of the first row of the next page.

use service_kit::refusal::Fault;

/// Rows of a page whose size is not asked for.
const PAGE: i32 = 50;
/// Rows of a page at most; who asks for more gets this many.
const LARGEST_PAGE: i32 = 1_000;

/// How many rows a page has.
pub(crate) fn page_size(asked: i32) -> Result<i64, Fault> {
    match asked {
        ..0 => Err(Fault::field("page_size", "must not be negative")),
        0 => Ok(i64::from(PAGE)),
        1.. => Ok(i64::from(asked.min(LARGEST_PAGE))),
    }
}

/// Encodes the page and the token of the next one from `limit` rows, of which the last belongs to that next page.
pub(crate) fn page<T, P>(
    rows: &[T],
    limit: i64,
    token: impl Fn(&T) -> String,
    encode: impl Fn(&T) -> P,
) -> (Vec<P>, String) {
    match rows.split_last() {
        Some((next, page)) if rows.len() as i64 == limit => (page.iter().map(encode).collect(), token(next)),
        _ => (rows.iter().map(encode).collect(), String::new()),
    }
}

/// A page token that no page has given.
pub(crate) fn foreign_token() -> Fault {
    Fault::field("page_token", "must be the next_page_token of the page before")
}

/// Reads `a = x AND b = y`: the value for each of `fields`, if it is asked for.
pub(crate) fn filter<'a, const N: usize>(filter: &'a str, fields: [&str; N]) -> Result<[Option<&'a str>; N], Fault> {
    let mut values = [None; N];
    if filter.is_empty() {
        return Ok(values);
    }
    let wrong = || {
        let fields = fields.join(", ");
        Fault::field(
            "filter",
            format!("must be conditions {{field}} = {{value}} joined by AND, each over one of: {fields}"),
        )
    };
    for condition in filter.split(" AND ") {
        let (field, value) = condition.split_once('=').ok_or_else(wrong)?;
        let place = fields.iter().position(|known| *known == field.trim()).ok_or_else(wrong)?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        if values[place].replace(bare.unwrap_or(value)).is_some() {
            return Err(wrong());
        }
    }
    Ok(values)
}

/// A text that people read: at most `limit` characters.
pub(crate) fn optional_text(field: &str, text: &str, limit: usize) -> Result<String, Fault> {
    let length = text.chars().count();
    if length > limit {
        let problem = format!("must have at most {limit} characters; it has {length}");
        return Err(Fault::field(field, problem));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_gives_each_field_its_value() {
        let read = |text| filter(text, ["kind", "saga"]).ok();
        assert_eq!(read(""), Some([None, None]));
        assert_eq!(read("saga = \"sagas/1\""), Some([None, Some("sagas/1")]));
        assert_eq!(read("kind=USE AND saga = x"), Some([Some("USE"), Some("x")]));
    }

    #[test]
    fn a_filter_that_says_something_else_is_refused() {
        for text in ["kind", "colour = red", "kind = A AND kind = B", "kind > A", " "] {
            assert!(filter(text, ["kind"]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_page_is_followed_by_the_row_that_did_not_fit() {
        let page = |rows: &[i32]| page(rows, 3, ToString::to_string, |row| *row);
        assert_eq!(page(&[1, 2, 3]), (vec![1, 2], "3".to_owned()));
        assert_eq!(page(&[1, 2]), (vec![1, 2], String::new()));
        assert_eq!(page(&[]), (vec![], String::new()));
    }
}
