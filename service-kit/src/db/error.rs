//! Why a store did not do what it was asked, told by what may be done about it.

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nothing was written, for certain. Asking again may succeed.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// The commit may or may not be durable; only a fresh look can tell.
    #[error("the outcome of the commit is unknown: {0}")]
    InDoubt(String),
    /// A unique key or check refused the row. Nothing was written.
    #[error("a constraint refused the row: {0}")]
    Constraint(String),
    /// A stored row cannot be read back. Nothing was written.
    #[error("column {column} of a stored row cannot be read: {problem}")]
    Corrupt {
        /// Which column of the statement, by name where the engine tells it.
        column: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The statement itself is wrong. Nothing was written.
    #[error("the statement failed: {0}")]
    Bug(String),
}
