//! What an error of PostgreSQL means to us: what the caller hears, and what becomes of the connection and the unit of work.

use tokio_postgres::error::{Severity, SqlState};

use super::Error;

/// What a failed statement leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The unit of work is spoiled until it restarts; the rest is well.
    Spoiled,
    /// The same, but nobody is to blame: by itself it may succeed.
    Again,
    /// The connection is of no use any more, and with it goes what was not committed.
    Lost,
}

/// An error of a statement other than a commit: nothing was written.
pub(super) fn of_statement(error: &tokio_postgres::Error) -> (Error, Fate) {
    let text = text(error);
    let Some(code) = error.code() else {
        // Without an answer of the server: the connection was cut, or a value does not fit its parameter.
        let fate = if is_cut(error) { Fate::Lost } else { Fate::Spoiled };
        return (if fate == Fate::Lost { Error::Unavailable(text) } else { Error::Bug(text) }, fate);
    };
    let fate = fate(code);
    let error = match (fate, &code.code()[..2]) {
        (Fate::Again | Fate::Lost, _) | (_, "53" | "58") => Error::Unavailable(text),
        (Fate::Spoiled, "23") => Error::Constraint(text),
        (Fate::Spoiled, _) => Error::Bug(text),
    };
    (error, fate)
}

/// An error of a commit. Only the server's plain word for one of a few reasons says that it was taken back; all else may
/// have become durable, here or on one of several servers.
pub(super) fn of_commit(error: &tokio_postgres::Error) -> Error {
    let plain = error.as_db_error().filter(|error| error.parsed_severity() == Some(Severity::Error));
    let is_certain = plain.map(|error| error.code().code()).is_some_and(|code| {
        // A constraint, a roll-back; a lock, a limit of time, a server that takes no writes, a spoiled transaction.
        matches!(&code[..2], "23" | "40") || matches!(code, "55P03" | "57014" | "25006" | "25P02")
    });
    // That a commit was begun and its end is unknown is a roll-back by its class only.
    if is_certain && error.code() != Some(&SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN) {
        of_statement(error).0
    } else {
        Error::InDoubt(text(error))
    }
}

fn fate(code: &SqlState) -> Fate {
    match (code.code(), &code.code()[..2]) {
        // Serialization, deadlock, a lock that is held too long, a statement that took too long.
        ("40001" | "40P01" | "55P03" | "57014", _) => Fate::Again,
        // A server that takes no writes any more, a plan that a migration has made invalid.
        ("25006" | "0A000" | "25P03" | "57P05", _) => Fate::Lost,
        (_, "08" | "57") => Fate::Lost,
        ("53300", _) => Fate::Lost,
        _ => Fate::Spoiled,
    }
}

fn is_cut(error: &tokio_postgres::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    error.is_closed() || io
}

/// The whole story: what the driver says alone is "db error".
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        return format!("{}{detail}, SQLSTATE {}", db.message(), db.code().code());
    }
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
