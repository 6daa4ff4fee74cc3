//! All rows of all tables as text, the same on both engines, so that two moments or two engines can be compared.

use std::collections::BTreeMap;

use service_kit::args;
use service_kit::db::{Db, Error, Tx};

/// The rows of each table, in an order that follows from them alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books(BTreeMap<&'static str, Vec<String>>);

impl Books {
    /// The tables that differ.
    pub fn changed(&self, later: &Self) -> Vec<&'static str> {
        self.0.keys().copied().filter(|table| self.0.get(table) != later.0.get(table)).collect()
    }

    /// How many rows each table has.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.0.iter().map(|(table, rows)| (*table, rows.len())).collect()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

/// How one engine tells its tables and columns, and writes values out: numbers as they are, `'text'`, `X'00FF'`, `NULL`.
struct Dialect {
    tables: &'static str,
    columns: &'static str,
}

const SQLITE: Dialect = Dialect {
    tables: "select name from sqlite_master where type = 'table'",
    columns: "select 'quote(' || name || ')' from pragma_table_info($1)",
};
const POSTGRES: Dialect = Dialect {
    tables: "select cast(table_name as text) from information_schema.tables where table_schema = current_schema()",
    columns: "select 'coalesce(' || case data_type \
            when 'text' then format('chr(39) || replace(%I, chr(39), chr(39) || chr(39)) || chr(39)', column_name) \
            when 'uuid' then format('''X'' || quote_literal(upper(replace(cast(%I as text), ''-'', '''')))', column_name) \
            when 'bytea' then format('''X'' || quote_literal(upper(encode(%I, ''hex'')))', column_name) \
            else format('cast(%I as text)', column_name) end || ', ''NULL'')' \
        from information_schema.columns where table_schema = current_schema() and table_name = $1 \
        order by ordinal_position",
};

/// Reads the books of one database, whose tables do not change any more.
#[derive(Debug)]
pub struct Reader(Vec<(&'static str, &'static str)>);

impl Reader {
    /// A reader of the tables that there are now, without `others`.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn new(db: &Db, others: &'static [&'static str]) -> Result<Self, Error> {
        let dialect = if db.is_exclusive() { SQLITE } else { POSTGRES };
        let statements = async move |tx: &mut Tx<'_>| {
            let mut statements = Vec::new();
            for (table,) in tx.fetch_all::<(String,)>(dialect.tables, &[]).await? {
                if others.contains(&table.as_str()) {
                    continue;
                }
                let values: Vec<(String,)> = tx.fetch_all(dialect.columns, args![&table]).await?;
                let values: Vec<_> = values.into_iter().map(|(value,)| value).collect();
                let statement = format!("select {} from {table}", values.join(" || ',' || "));
                // Statements live as long as the program, and this one is a test.
                statements.push((&*table.leak(), &*statement.leak()));
            }
            Ok::<_, Error>(statements)
        };
        db.read(statements).await.map(Self)
    }

    /// The books as they stand.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn read(&self, db: &Db) -> Result<Books, Error> {
        let statements = self.0.clone();
        db.read(async move |tx: &mut Tx<'_>| {
            let mut books = BTreeMap::new();
            for (table, statement) in statements {
                let rows: Vec<(String,)> = tx.fetch_all(statement, &[]).await?;
                let mut rows: Vec<_> = rows.into_iter().map(|(row,)| row).collect();
                rows.sort();
                books.insert(table, rows);
            }
            Ok(Books(books))
        })
        .await
    }
}
