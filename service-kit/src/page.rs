//! Pages of lists, as all services give them.

use crate::refusal::Fault;

/// Rows of a page whose size is not asked for.
const SIZE: usize = 50;
/// Rows of a page at most; who asks for more gets this many.
const LARGEST: usize = 1_000;

/// How many rows a page has.
///
/// # Errors
/// When fewer than none are asked for.
pub fn size(page_size: i32) -> Result<usize, Fault> {
    match usize::try_from(page_size) {
        Ok(0) => Ok(SIZE),
        Ok(size) => Ok(size.min(LARGEST)),
        Err(_) => Err(Fault::field("page_size", "must not be negative")),
    }
}

/// The rows that a statement looks for: one more than the page has tells whether there is a next one.
pub fn limit(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1)
}

/// Cuts the rows to a page; the token of the next one is made of its last row.
pub fn cut<T>(mut rows: Vec<T>, size: usize, token: impl Fn(&T) -> String) -> (Vec<T>, String) {
    let more = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| more).map(token).unwrap_or_default();
    (rows, next)
}

/// Encodes a page of up to `limit` rows; the last one, if there are so many, begins the next page, and the token is made
/// of it.
pub fn split<T, P>(rows: &[T], limit: i64, token: impl Fn(&T) -> String, encode: impl Fn(&T) -> P) -> (Vec<P>, String) {
    match rows.split_last() {
        Some((next, page)) if rows.len() as i64 == limit => (page.iter().map(encode).collect(), token(next)),
        _ => (rows.iter().map(encode).collect(), String::new()),
    }
}

/// A page token that no page has given.
pub fn foreign_token() -> Fault {
    Fault::field("page_token", "must be the next_page_token of an earlier answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_size_that_is_asked_for_within_bounds() {
        assert_eq!((size(0).unwrap(), size(7).unwrap(), size(5_000).unwrap()), (50, 7, 1_000));
        assert!(size(-1).is_err());
    }

    #[test]
    fn a_page_knows_whether_there_is_a_next_one() {
        let token = |row: &i32| row.to_string();
        assert_eq!(cut(vec![1, 2], 2, token), (vec![1, 2], String::new()));
        assert_eq!(cut(vec![1, 2, 3], 2, token), (vec![1, 2], "2".to_owned()));
        let split = |rows: &[i32]| split(rows, 3, token, |row| *row);
        assert_eq!(split(&[1, 2]), (vec![1, 2], String::new()));
        assert_eq!(split(&[1, 2, 3]), (vec![1, 2], "3".to_owned()));
    }
}
