//! Values on their way into a statement and out of a row. Only five kinds exist, those that both engines store alike.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use super::Error;

/// One argument of a statement.
#[derive(Debug, Clone, Copy)]
pub enum Arg<'a> {
    /// SQL null.
    Null,
    /// `bigint`.
    Int(i64),
    /// `text`.
    Text(&'a str),
    /// `bytea`.
    Bytes(&'a [u8]),
    /// `uuid`; 16 bytes on SQLite.
    Uuid(Uuid),
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Arg::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Arg::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Arg::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Arg::Bytes(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value)),
            Arg::Uuid(value) => ToSqlOutput::Borrowed(ValueRef::Blob(value.as_bytes())),
        })
    }
}

impl From<i64> for Arg<'_> {
    fn from(value: i64) -> Self {
        Arg::Int(value)
    }
}

impl From<bool> for Arg<'_> {
    fn from(value: bool) -> Self {
        Arg::Int(i64::from(value))
    }
}

impl From<Uuid> for Arg<'_> {
    fn from(value: Uuid) -> Self {
        Arg::Uuid(value)
    }
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(value: &'a str) -> Self {
        Arg::Text(value)
    }
}

impl<'a> From<&'a String> for Arg<'a> {
    fn from(value: &'a String) -> Self {
        Arg::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Arg<'a> {
    fn from(value: &'a [u8]) -> Self {
        Arg::Bytes(value)
    }
}

impl<'a> From<&'a Vec<u8>> for Arg<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Arg::Bytes(value)
    }
}

impl<'a, T: Into<Arg<'a>>> From<Option<T>> for Arg<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Arg::Null, Into::into)
    }
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// SQL null.
    Null,
    /// A whole number, or a truth value as 0 or 1.
    Int(i64),
    /// Text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A uuid, where the engine tells it from bytes.
    Uuid(Uuid),
    /// Something that no statement of ours asks for, by the name of its type.
    Other(&'a str),
}

impl Value<'_> {
    fn kind(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "an integer",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Uuid(_) => "a uuid",
            Self::Other(name) => name,
        }
    }
}

impl<'a> From<ValueRef<'a>> for Value<'a> {
    fn from(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Int(value),
            ValueRef::Real(_) => Self::Other("a real number"),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or(Self::Bytes(bytes), Self::Text),
            ValueRef::Blob(bytes) => Self::Bytes(bytes),
        }
    }
}

/// One row of a result, read by position.
#[derive(Debug)]
pub enum Row<'a> {
    /// Of SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// Of PostgreSQL.
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value at `index`, from 0.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the stored value is not of that kind.
    pub fn get<T: FromColumn>(&self, index: usize) -> Result<T, Error> {
        let value = match self {
            Row::Sqlite(row) => row.get_ref(index).map(Value::from).map_err(|error| error.to_string()),
            Row::Postgres(row) => row.try_get(index).map_err(|error| error.to_string()),
        };
        let value = value.map_err(|problem| self.corrupt(index, problem))?;
        T::from_column(value).ok_or_else(|| self.corrupt(index, format!("it holds {}", value.kind())))
    }

    /// Says that the value at `index` breaks a rule of its owner.
    pub fn corrupt(&self, index: usize, problem: impl Into<String>) -> Error {
        let column = match self {
            Row::Sqlite(row) => row.as_ref().column_name(index).ok().map(str::to_owned),
            Row::Postgres(row) => row.columns().get(index).map(|column| column.name().to_owned()),
        };
        Error::Corrupt { column: column.unwrap_or_else(|| index.to_string()), problem: problem.into() }
    }
}

/// A type that a column can be read as.
pub trait FromColumn: Sized {
    /// The value, or nothing when the column holds another kind.
    fn from_column(value: Value<'_>) -> Option<Self>;
}

impl FromColumn for i64 {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Int(value) = value { Some(value) } else { None }
    }
}

impl FromColumn for bool {
    fn from_column(value: Value<'_>) -> Option<Self> {
        i64::from_column(value).map(|number| number != 0)
    }
}

impl FromColumn for String {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Text(value) = value { Some(value.to_owned()) } else { None }
    }
}

impl FromColumn for Vec<u8> {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(value) = value { Some(value.to_vec()) } else { None }
    }
}

impl FromColumn for Uuid {
    fn from_column(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Uuid(uuid) => Some(uuid),
            Value::Bytes(bytes) => Uuid::from_slice(bytes).ok(),
            Value::Null | Value::Int(_) | Value::Text(_) | Value::Other(_) => None,
        }
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_column(value).map(Some) }
    }
}

/// A type that a whole row can be read as.
pub trait FromRow: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`Error::Corrupt`] naming the column.
    fn from_row(row: &Row<'_>) -> Result<Self, Error>;
}

macro_rules! tuple_from_row {
    ($($name:ident $index:tt),+) => {
        impl<$($name: FromColumn),+> FromRow for ($($name,)+) {
            fn from_row(row: &Row<'_>) -> Result<Self, Error> {
                Ok(($(row.get::<$name>($index)?,)+))
            }
        }
    };
}
tuple_from_row!(A 0);
tuple_from_row!(A 0, B 1);
tuple_from_row!(A 0, B 1, C 2);
tuple_from_row!(A 0, B 1, C 2, D 3);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4);
tuple_from_row!(A 0, B 1, C 2, D 3, E 4, F 5);
