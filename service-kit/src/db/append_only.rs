//! Tables whose rows are added, never changed: the one thing that the engines spell so differently that a migration cannot
//! say it in one text. It says `append only {table};` instead, and here is what becomes of that.
//!
//! The guard keeps out mistakes and casual tampering. Whoever owns the table can take it off; that it stands is therefore
//! something to verify. Citus has no triggers on its tables: there nothing is guarded and nothing is missing.

use super::{Connection, Error, Tx};
use crate::args;

/// How a migration begins that guards a table.
const WORDS: &str = "append only ";

/// One trigger for each way to change rows.
const SQLITE: &str = "create trigger {table}_no_update before update on {table} \
        begin select raise(abort, 'rows of {table} are added, never changed'); end; \
    create trigger {table}_no_delete before delete on {table} \
        begin select raise(abort, 'rows of {table} are added, never deleted'); end;";

/// A statement that would change no row is refused as well.
const POSTGRES: &str = "do $do$ begin \
    if not exists (select from pg_extension where extname = 'citus') then \
        create or replace function skald_append_only() returns trigger language plpgsql as $function$ begin \
            raise exception 'rows of % are added, never changed or deleted', tg_table_name \
                using errcode = 'restrict_violation'; end $function$; \
        create trigger {table}_append_only before update or delete or truncate on {table} \
            for each statement execute function skald_append_only(); \
    end if; end $do$";

const SQLITE_GUARDS: &str = "select count(*) = 2 from sqlite_schema where type = 'trigger' and tbl_name = $1 \
    and name in ($1 || '_no_update', $1 || '_no_delete')";
const POSTGRES_GUARDS: &str = "select (exists (select from pg_extension where extname = 'citus') \
    or exists (select from pg_trigger where tgrelid = to_regclass($1) and tgname = $1 || '_append_only' \
    and tgenabled in ('O', 'A')))::int4::int8";

/// The table that a migration guards, if that is what it does.
pub(super) fn table(sql: &str) -> Option<&str> {
    let statement = sql.lines().find(|line| !line.trim_start().starts_with("--"))?;
    statement.trim().strip_suffix(';')?.strip_prefix(WORDS)
}

/// From now on the engine refuses to change or delete rows of the table.
pub(super) async fn guard(tx: &mut Tx<'_>, table: &str) -> Result<(), Error> {
    let create = match &tx.connection {
        Connection::Sqlite(_) => SQLITE,
        Connection::Postgres(_) => POSTGRES,
    };
    tx.script(&create.replace("{table}", table)).await
}

impl Tx<'_> {
    /// Whether the engine refuses to change rows of a table that was made append-only, or cannot be made to.
    ///
    /// # Errors
    /// As the engine reports.
    pub async fn is_append_only(&mut self, table: &str) -> Result<bool, Error> {
        let guards = match &self.connection {
            Connection::Sqlite(_) => SQLITE_GUARDS,
            Connection::Postgres(_) => POSTGRES_GUARDS,
        };
        let (stands,): (bool,) = self.fetch_one(guards, args![table]).await?;
        Ok(stands)
    }
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_migration_says_in_words_which_table_it_guards() {
        assert_eq!(table("-- The ledger.\nappend only entries;\n"), Some("entries"));
        assert_eq!(table("create table append (id bigint);"), None);
        assert_eq!(table(""), None);
    }
}
