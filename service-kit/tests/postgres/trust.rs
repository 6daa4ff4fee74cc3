//! What a server must be before it is used.

use service_kit::db::{Db, Durability, Error, Postgres};
use testbed::postgres::{DATABASE, Options, Server};

use crate::bed::{open, options, server};

async fn refusal(server: &Server) -> String {
    match Db::connect(&options(server.url(DATABASE))).await {
        Err(Error::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_may_lose_what_it_acknowledged_is_refused_with_what_to_do() {
    for setting in ["fsync", "full_page_writes"] {
        let server = Server::start(Options { fsync: true, ..Options::default() }.with(setting, "off")).unwrap();
        let text = refusal(&server).await;
        assert!(text.contains(&format!("{setting} is off")), "{text}");
        assert!(text.contains(&format!("set {setting} = on in postgresql.conf")), "{text}");
        let unchecked = Postgres { durability: Durability::Unchecked, ..options(server.url(DATABASE)) };
        drop(Db::connect(&unchecked).await.unwrap());
    }
}

#[tokio::test]
async fn a_commit_is_waited_for_whatever_the_server_and_the_role_say() {
    let server =
        Server::start(Options { fsync: true, ..Options::default() }.with("synchronous_commit", "off")).unwrap();
    server.execute("alter role skald set synchronous_commit = off").unwrap();
    let db = open(server.url(DATABASE)).await;
    let setting = "select current_setting('synchronous_commit')";
    let read: Result<(String,), Error> = db.read(async |tx| tx.fetch_one(setting, &[]).await).await;
    assert_eq!(read.unwrap().0, "on");
    let written: Result<(String,), Error> = db.write(async |tx| tx.fetch_one(setting, &[]).await).await;
    assert_eq!(written.unwrap().0, "on");
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_refused() {
    let primary = server();
    let standby = primary.standby().unwrap();
    let text = refusal(&standby).await;
    assert!(text.contains("takes no writes") && text.contains("target_session_attrs=read-write"), "{text}");
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_named_and_so_is_a_wrong_url() {
    let server = server();
    server.stop(testbed::postgres::Stop::Fast).unwrap();
    let text = refusal(&server).await;
    assert!(text.contains("Connection refused"), "{text}");
    let error = Db::connect(&options("postgres://skald@127.0.0.1:x/skald".into())).await.unwrap_err();
    assert!(error.to_string().contains("the URL of the database is wrong"), "{error}");
}
