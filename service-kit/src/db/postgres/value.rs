//! Values between our five kinds and the types of PostgreSQL.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use super::{Arg, Value};

type Problem = Box<dyn Error + Sync + Send>;

impl ToSql for Arg<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Problem> {
        match self {
            Arg::Null => Ok(IsNull::Yes),
            Arg::Int(value) if *kind == Type::INT8 => value.to_sql(kind, out),
            Arg::Int(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Arg::Text(value) if <&str as ToSql>::accepts(kind) => value.to_sql(kind, out),
            Arg::Bytes(value) if *kind == Type::BYTEA => value.to_sql(kind, out),
            Arg::Uuid(value) if *kind == Type::UUID => value.to_sql(kind, out),
            Arg::Int(_) | Arg::Text(_) | Arg::Bytes(_) | Arg::Uuid(_) => {
                Err(format!("{self:?} was given for a parameter of type {kind}").into())
            }
        }
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Problem> {
        Ok(match *kind {
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(kind, raw)?.into()),
            Type::BOOL => Value::Int(bool::from_sql(kind, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::NAME | Type::UNKNOWN => Value::Text(<&str>::from_sql(kind, raw)?),
            Type::BYTEA => Value::Bytes(raw),
            Type::UUID => Value::Uuid(Uuid::from_sql(kind, raw)?),
            _ => Value::Other("a type that nobody here reads"),
        })
    }

    fn from_sql_null(_kind: &Type) -> Result<Self, Problem> {
        Ok(Value::Null)
    }

    fn accepts(_kind: &Type) -> bool {
        true
    }
}
