//! Rules that a service's tables must keep at every moment, each with the statement that looks for rows that break it.
//! Each service lists its own; whoever verifies a database runs them on a snapshot. Rules that span services are not
//! here: they are judged from facts that the services hand out.

use uuid::Uuid;

use crate::db::{self, FromRow, Row, Tx};

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its short name, unique among all services: `P3`.
    pub id: &'static str,
    /// What must hold, for people.
    pub rule: &'static str,
    /// Selects what breaks the rule, a few rows at most: the row's uuid or null, and a text that says what is wrong.
    pub sql: &'static str,
}

/// Something that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The row at fault, where there is one.
    pub row: Option<Uuid>,
    /// What is wrong with it.
    pub problem: String,
}

impl FromRow for Finding {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { row: row.get(0)?, problem: row.get(1)? })
    }
}

impl Check {
    /// What breaks the rule: nothing, as long as it holds.
    ///
    /// # Errors
    /// Of the store.
    pub async fn findings(&self, tx: &mut Tx<'_>) -> Result<Vec<Finding>, db::Error> {
        tx.fetch_all(self.sql, &[]).await
    }
}
