//! Tables whose rows are added, never changed.

use std::sync::Arc;

use service_kit::clock::ManualClock;
use service_kit::db::{Db, Error, Migration, Tx};

const TABLES: &[Migration] = &[
    Migration { version: 1, name: "entries", sql: "create table test_entries (id bigint not null primary key);" },
    Migration { version: 2, name: "other", sql: "create table test_other (id bigint not null primary key);" },
    Migration { version: 3, name: "entries_kept", sql: "-- A ledger.\nappend only test_entries;\n" },
];

async fn open(migrations: &'static [Migration]) -> Db {
    let db = testbed::db(Arc::new(ManualClock::at(1))).await;
    db.migrate("test", migrations).await.unwrap();
    db
}

async fn run(db: &Db, sql: &'static str) -> Result<u64, Error> {
    db.write(async move |tx: &mut Tx<'_>| tx.execute(sql, &[]).await).await
}

async fn is_append_only(db: &Db, table: &'static str) -> bool {
    let looked: Result<bool, Error> = db.read(async move |tx| tx.is_append_only(table).await).await;
    looked.unwrap()
}

#[tokio::test]
async fn rows_of_an_append_only_table_are_neither_changed_nor_deleted() {
    let db = open(TABLES).await;
    run(&db, "insert into test_entries (id) values (1)").await.unwrap();
    for sql in ["update test_entries set id = 2", "delete from test_entries", "delete from test_entries where id = 1"] {
        let refused = run(&db, sql).await;
        assert!(matches!(refused, Err(Error::Constraint(_))), "{sql}: {refused:?}");
    }
    assert_eq!(run(&db, "insert into test_entries (id) values (2)").await.unwrap(), 1);
    let kept: Result<(i64, i64), Error> =
        db.read(async |tx| tx.fetch_one("select min(id), max(id) from test_entries", &[]).await).await;
    assert_eq!(kept.unwrap(), (1, 2));
    run(&db, "insert into test_other (id) values (1)").await.unwrap();
    assert_eq!(run(&db, "delete from test_other").await.unwrap(), 1);
}

#[tokio::test]
async fn it_can_be_seen_whether_a_table_is_guarded() {
    assert!(!is_append_only(&open(&TABLES[..2]).await, "test_entries").await);
    let db = open(TABLES).await;
    assert!(is_append_only(&db, "test_entries").await);
    assert!(!is_append_only(&db, "test_other").await);
    assert!(!is_append_only(&db, "no_such_table").await);
}
