//! A server, a handle on it and a table of notes, in which every effect leaves a row of its own.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use service_kit::args;
use service_kit::db::{Db, Error, Migration, Postgres, Tx};
use testbed::postgres::{DATABASE, Options, Server};

/// No key: a note that is written twice is seen twice.
pub(crate) const TABLES: &[Migration] =
    &[Migration { version: 1, name: "note", sql: "create table note (id bigint not null)" }];

/// How a commit begins on the wire.
pub(crate) const COMMIT: &str = "select 1; commit";

/// A server that does not lose what it acknowledges.
pub(crate) fn server() -> Server {
    Server::start(Options { fsync: true, ..Options::default() }).unwrap()
}

pub(crate) fn options(url: String) -> Postgres {
    // Two that write.
    Postgres { connections: 4, ..Postgres::new(url, "test") }
}

/// A handle on the server at `url`, with the table.
pub(crate) async fn open(url: String) -> Db {
    let db = Db::connect(&options(url)).await.unwrap();
    db.migrate("test", TABLES).await.unwrap();
    db
}

pub(crate) async fn start() -> (Server, Db) {
    let server = server();
    let db = open(server.url(DATABASE)).await;
    (server, db)
}

pub(crate) async fn insert(tx: &mut Tx<'_>, id: i64) -> Result<(), Error> {
    tx.execute("insert into note (id) values ($1)", args![id]).await.map(drop)
}

pub(crate) async fn put(db: &Db, id: i64) -> Result<(), Error> {
    db.write(async move |tx| insert(tx, id).await).await
}

/// The notes, past the handle under test.
pub(crate) fn notes(server: &Server) -> Vec<i64> {
    let rows = server.execute("select id from test.note order by id").unwrap();
    rows.lines().map(|id| id.parse().unwrap()).collect()
}

/// Cuts all connections of the application from within the server, and tells how many there were.
pub(crate) fn terminate_all(server: &Server) -> usize {
    let cut = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'skald'";
    server.execute(cut).unwrap().lines().count()
}

/// Tries until it is done, within a bound.
pub(crate) async fn put_at_last(db: &Db, id: i64) {
    for _ in 0..600 {
        match put(db, id).await {
            Ok(()) => return,
            Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the database did not come back");
}

/// What the callers were told of each note.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<i64, Result<(), Error>>>);

impl Ledger {
    pub(crate) fn note(&self, id: i64, told: Result<(), Error>) {
        self.0.lock().unwrap().insert(id, told);
    }

    /// How many were done, not done, and left in doubt.
    pub(crate) fn told(&self) -> (usize, usize, usize) {
        let told = self.0.lock().unwrap();
        let count = |kind: fn(&Result<(), Error>) -> bool| told.values().filter(|told| kind(told)).count();
        (
            count(|told| told.is_ok()),
            count(|told| matches!(told, Err(Error::Unavailable(_)))),
            count(|told| matches!(told, Err(Error::InDoubt(_)))),
        )
    }

    /// Compares with what the table holds.
    pub(crate) fn check(&self, server: &Server) {
        let mut effects = BTreeMap::<i64, usize>::new();
        notes(server).into_iter().for_each(|id| *effects.entry(id).or_default() += 1);
        for (id, told) in &*self.0.lock().unwrap() {
            let effects = effects.remove(id).unwrap_or_default();
            let fits = match told {
                Ok(()) => effects == 1,
                Err(Error::Unavailable(_)) => effects == 0,
                Err(Error::InDoubt(_)) => effects <= 1,
                Err(_) => false,
            };
            assert!(fits, "note {id}: {effects} effects, {told:?}");
        }
        assert!(effects.is_empty(), "notes that nobody has asked for: {effects:?}");
    }
}
