//! Statements on a connection of SQLite, and what its error codes mean to us.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ErrorCode};

use super::{Arg, Error, FromRow, Row};

pub(in crate::db) fn execute(connection: &Connection, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Error> {
    let mut statement = bound(connection, sql, args)?;
    let changed = statement.raw_execute().map_err(classify)?;
    Ok(changed as u64)
}

pub(in crate::db) fn fetch_optional<T: FromRow>(
    connection: &Connection,
    sql: &'static str,
    args: &[Arg<'_>],
) -> Result<Option<T>, Error> {
    let mut statement = bound(connection, sql, args)?;
    let mut rows = statement.raw_query();
    let first = rows.next().map_err(classify)?.map(|row| T::from_row(&Row::Sqlite(row))).transpose()?;
    // A statement that both writes and returns has written only once it has run to its end.
    while rows.next().map_err(classify)?.is_some() {}
    Ok(first)
}

pub(in crate::db) fn fetch_all<T: FromRow>(
    connection: &Connection,
    sql: &'static str,
    args: &[Arg<'_>],
) -> Result<Vec<T>, Error> {
    let mut statement = bound(connection, sql, args)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(classify)? {
        all.push(T::from_row(&Row::Sqlite(row))?);
    }
    Ok(all)
}

/// Statements without arguments, one after the other.
pub(in crate::db) fn script(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.execute_batch(sql).map_err(classify)
}

/// The statement with its arguments.
fn bound<'a>(connection: &'a Connection, sql: &'static str, args: &[Arg<'_>]) -> Result<CachedStatement<'a>, Error> {
    // A full disk makes SQLite give up the whole transaction; what follows would be kept without what went before.
    if connection.is_autocommit() {
        return Err(gone());
    }
    let mut statement = connection.prepare_cached(numbered(sql)).map_err(classify)?;
    let count = statement.parameter_count();
    if count != args.len() {
        let given = args.len();
        return Err(Error::Bug(format!("a statement of {count} parameters was given {given}")));
    }
    for (index, arg) in (1..).zip(args) {
        statement.raw_bind_parameter(index, arg).map_err(classify)?;
    }
    Ok(statement)
}

thread_local! {
    /// By where a statement's text lies and how long it is. There are as many as there are texts in the program.
    static NUMBERED: RefCell<HashMap<(usize, usize), &'static str>> = RefCell::default();
}

/// The statement in SQLite's words. A `$3` would be numbered by where it first stands in the text; `?3` means the third
/// argument, as `$3` does on PostgreSQL.
fn numbered(sql: &'static str) -> &'static str {
    if !sql.contains('$') {
        return sql;
    }
    let place = (sql.as_ptr().addr(), sql.len());
    NUMBERED.with_borrow_mut(|numbered| *numbered.entry(place).or_insert_with(|| sql.replace('$', "?").leak()))
}

/// The transaction does not exist any more.
pub(super) fn gone() -> Error {
    Error::Unavailable("the database gave up the transaction; the disk may be full".into())
}

/// What an error means that comes before a commit, or that a commit cannot give once it has begun to write.
pub(super) fn classify(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::Constraint(text),
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory,
        ) => Error::Unavailable(text),
        _ => Error::Bug(text),
    }
}
