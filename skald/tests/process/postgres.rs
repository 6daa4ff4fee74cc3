//! Everything in one process on PostgreSQL: tables beforehand, a sale, the books, and a start that finds it all again.

use testbed::postgres::{DATABASE, Options, Server};

use crate::load::{self, Ledger, Load};
use crate::process::{Skald, run, stderr, stdout};
use crate::shop::{self, Size};

const SIZE: Size = Size { customers: 10, seats_each: 10, affordable: 8, spare: 0 };

/// A server that the binary accepts: it flushes what it acknowledges.
pub(crate) fn durable_server() -> Server {
    Server::start(Options { fsync: true, ..Options::default() }).expect("a PostgreSQL server starts")
}

/// What a tool says about the database.
fn text(arguments: &[&str], url: &str) -> String {
    let output = run(&[arguments, &["--postgres", url]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_services_share_a_database_and_each_has_a_schema() {
    let server = durable_server();
    let url = server.url(DATABASE);
    let dir = tempfile::tempdir().unwrap();
    let one = text(&["migrate", "customer"], &url);
    assert!(one.lines().count() == 1 && one.contains("schema customer): applied saga_op, "), "{one}");
    let all = text(&["migrate"], &url);
    assert!(all.lines().count() == 5 && all.contains("schema customer): up to date"), "{all}");
    assert_eq!(text(&["migrate"], &url).matches("up to date").count(), 5);

    let skald = Skald::start(dir.path(), &["--postgres", &url]).await;
    let channel = skald.channel().await;
    let ledger = Ledger::new(shop::open(&channel, SIZE).await);
    Load::start(&channel, &ledger).end().await;
    let accepted = ledger.accepted().clone();
    for checkout in accepted.values() {
        load::ended(&channel, checkout).await;
    }
    let report = text(&["verify"], &url);
    assert!(report.contains("over 100 checkouts (0 sagas still open): all hold"), "{report}");
    assert_eq!(skald.terminate().await.0, Some(0));

    let skald = Skald::start(dir.path(), &["--postgres", &url]).await;
    let told: std::collections::BTreeSet<_> = accepted.values().cloned().collect();
    assert_eq!(load::all_checkouts(&skald.channel().await).await, told);
    assert_eq!(skald.terminate().await.0, Some(0));
    let schemas = "select string_agg(distinct schemaname, ' ' order by schemaname) from pg_tables \
        where schemaname not in ('pg_catalog', 'information_schema')";
    assert_eq!(server.execute(schemas).unwrap().trim(), "concert customer orchestrator payment token");
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "nothing is kept in a file");
}

#[test]
fn a_server_that_may_lose_what_it_acknowledged_is_refused() {
    let server = Server::start(Options::default()).unwrap();
    let output = run(&["up", "--listen", "127.0.0.1:0", "--postgres", &server.url(DATABASE)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("fsync"), "{}", stderr(&output));
}

#[test]
fn a_server_that_is_not_there_is_told_without_the_password() {
    let output = run(&["customer", "--listen", "127.0.0.1:0", "--postgres", "postgresql://skald:secret@127.0.0.1:1/x"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("127.0.0.1:1") && !said.contains("secret"), "{said}");
}
