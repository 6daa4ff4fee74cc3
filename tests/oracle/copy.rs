//! A copy of a world's tables without what guards them: no constraint, key or trigger keeps a corruption out. What it was
//! made of stays beside it, so that every corruption finds the same world.

use std::sync::atomic::{AtomicUsize, Ordering};

use service_kit::db::{Db, Error, Migration, Tx};

const SQLITE_TABLES: &str = "select name from sqlite_master where type = 'table' and name <> 'skald_migration'";
const POSTGRES_TABLES: &str = "select cast(table_name as text) from information_schema.tables \
    where table_schema = current_schema() and table_name <> 'skald_migration'";
/// The one table that is guarded by triggers, whose absence is a finding.
const LEDGER: &str = "customer_transfers";
const GUARD: &[Migration] = &[Migration { version: 1, name: "guard", sql: "append only customer_transfers;" }];

/// In place of a statement: the ledger's guard stays off.
pub(crate) const UNGUARD: &str = "unguard";

/// The copy. The tables of the world have its names.
pub(crate) struct Copy {
    db: Db,
    tables: Vec<String>,
}

impl Copy {
    pub(crate) async fn of(db: &Db) -> Self {
        let select = if db.is_exclusive() { SQLITE_TABLES } else { POSTGRES_TABLES };
        let tables = db.read(async move |tx: &mut Tx<'_>| tx.fetch_all::<(String,)>(select, &[]).await).await;
        let tables: Result<Vec<(String,)>, Error> = tables;
        let copy = Self { db: db.clone(), tables: tables.unwrap().into_iter().map(|(table,)| table).collect() };
        assert!(copy.tables.len() > 30, "{:?}", copy.tables);
        copy.unguard(LEDGER).await;
        for table in &copy.tables {
            copy.run(format!("alter table {table} rename to kept_{table}")).await;
            copy.run(format!("create table {table} as select * from kept_{table}")).await;
        }
        copy.guard().await;
        copy
    }

    /// Runs statements of a corruption, each of which changes something.
    pub(crate) async fn corrupt(&self, statements: &[&str]) {
        self.unguard(LEDGER).await;
        for statement in statements.iter().filter(|statement| **statement != UNGUARD) {
            let changed = self.run((*statement).to_owned()).await;
            assert!(changed > 0, "nothing is corrupted by {statement}");
        }
        if !statements.contains(&UNGUARD) {
            self.guard().await;
        }
    }

    /// Makes everything as it was before a corruption.
    pub(crate) async fn restore(&self, statements: &[&str]) {
        self.unguard(LEDGER).await;
        let changes = |table: &&String| {
            let verbs = ["update", "insert into", "delete from"].map(|verb| format!("{verb} {table} "));
            let is_changed = |statement: &str| verbs.iter().any(|verb| format!("{statement} ").starts_with(verb));
            statements.iter().any(|statement| is_changed(statement))
        };
        for table in self.tables.iter().filter(changes) {
            self.run(format!("delete from {table}")).await;
            self.run(format!("insert into {table} select * from kept_{table}")).await;
        }
        self.guard().await;
    }

    async fn run(&self, statement: String) -> u64 {
        // Statements live as long as the program, and this one is a test.
        let statement: &'static str = statement.leak();
        let ran: Result<u64, Error> =
            self.db.write(async move |tx: &mut Tx<'_>| tx.execute(statement, &[]).await).await;
        ran.unwrap_or_else(|error| fail(statement, &error))
    }

    async fn guard(&self) {
        static TIMES: AtomicUsize = AtomicUsize::new(0);
        let list = format!("guard-{}", TIMES.fetch_add(1, Ordering::Relaxed));
        self.db.migrate(list.leak(), GUARD).await.unwrap();
    }

    async fn unguard(&self, table: &str) {
        if self.db.is_exclusive() {
            self.run(format!("drop trigger if exists {table}_no_update")).await;
            self.run(format!("drop trigger if exists {table}_no_delete")).await;
        } else {
            self.run(format!("drop trigger if exists {table}_append_only on {table}")).await;
        }
    }
}

#[expect(clippy::panic, reason = "a corruption that cannot be done proves nothing")]
fn fail(statement: &str, error: &Error) -> ! {
    panic!("{statement}: {error}")
}
