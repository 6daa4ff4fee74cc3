//! The statements, each a function named for its meaning. What they are for, and in which order, is said by the callers.

use service_kit::db::Arg;

mod best;
mod cancellation;
mod catalogue;
mod history;
mod reservations;
mod seats;
mod tickets;

pub(crate) use cancellation::*;
mod sold_out;
mod stock;

pub(crate) use best::*;
pub(crate) use catalogue::*;
pub(crate) use history::*;
pub(crate) use reservations::*;
pub(crate) use seats::*;
pub(crate) use sold_out::*;
pub(crate) use stock::*;
pub(crate) use tickets::*;

/// A statement with its arguments, to be run together with others.
pub(crate) type Statement<'a> = (&'static str, Vec<Arg<'a>>);

/// An insert of so many rows of which the first columns are the `shared` ones, bound once, and then come their `own`.
fn insert_rows(into: &str, (shared, own): (usize, usize), rows: usize) -> String {
    let places = |from: usize, count: usize| (from..from + count).map(|place| format!("${place}"));
    let row = |row: usize| {
        let places: Vec<_> = places(1, shared).chain(places(1 + shared + row * own, own)).collect();
        format!("({})", places.join(", "))
    };
    let values: Vec<_> = (0..rows).map(row).collect();
    format!("insert into {into} values {}", values.join(", "))
}

/// The statements of 1, 2, … rows.
fn of_rows<const MOST: usize>(statement: impl Fn(usize) -> String) -> [String; MOST] {
    std::array::from_fn(|index| statement(index + 1))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_rows_of_an_insert_share_what_is_bound_once() {
        let sql = super::insert_rows("t (a, b, c)", (1, 2), 2);
        assert_eq!(sql, "insert into t (a, b, c) values ($1, $2, $3), ($1, $4, $5)");
    }
}
