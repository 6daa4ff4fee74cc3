//! All rows of all tables, so that two moments can be compared.

use std::collections::BTreeMap;

use service_kit::db::{Db, Error};

/// Says who runs and which tables there are, not what happened.
const OTHERS: [&str; 2] = ["orchestrator_incarnation", "skald_migration"];

/// The rows of each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Books(BTreeMap<&'static str, String>);

/// Reads the books of one database.
pub(super) struct Reader(Vec<(&'static str, &'static str)>);

impl Reader {
    pub(super) async fn new(db: &Db) -> Self {
        let tables = db.read(async |tx| {
            let names = "select name from sqlite_master where type = 'table' order by name";
            let columns = "select name from pragma_table_info($1)";
            let mut tables = Vec::new();
            for (table,) in tx.fetch_all::<(String,)>(names, &[]).await? {
                let columns: Vec<(String,)> = tx.fetch_all(columns, service_kit::args![&table]).await?;
                tables.push((table, columns));
            }
            Ok::<_, Error>(tables)
        });
        let tables = tables.await.unwrap().into_iter().filter(|(table, _)| !OTHERS.contains(&table.as_str()));
        Self(tables.map(|(table, columns)| (&*table.clone().leak(), &*statement(&table, &columns).leak())).collect())
    }

    pub(super) async fn read(&self, db: &Db) -> Books {
        let tables = self.0.clone();
        let rows = db.read(async move |tx| {
            let mut rows = BTreeMap::new();
            for (table, statement) in tables {
                let (text,): (String,) = tx.fetch_one(statement, &[]).await?;
                rows.insert(table, text);
            }
            Ok::<_, Error>(rows)
        });
        Books(rows.await.unwrap())
    }
}

/// One text of a whole table.
fn statement(table: &str, columns: &[(String,)]) -> String {
    let row: Vec<_> = columns.iter().map(|(column,)| format!("quote({column})")).collect();
    format!("select coalesce(group_concat({}, char(10)), '') from {table}", row.join(" || ',' || "))
}

impl Books {
    /// The tables that differ.
    pub(super) fn changed(&self, later: &Self) -> Vec<&'static str> {
        let differ = |(table, rows): (&&'static str, &String)| (later.0[table] != *rows).then_some(*table);
        self.0.iter().filter_map(differ).collect()
    }
}
