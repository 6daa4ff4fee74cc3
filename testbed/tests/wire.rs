//! A wire that breaks where it was told to, and nowhere else.

use testbed::postgres::{DATABASE, Options, Server};
use testbed::wire::{Cut, Wire};

#[test]
fn a_wire_passes_everything_on_until_it_is_cut_before_a_statement_or_after_it() {
    let server = Server::start(Options::default()).unwrap();
    let wire = Wire::to(&server.address()).unwrap();
    let through = |sql: &str| server.execute_at(&wire.url(DATABASE), sql);
    let notes = || server.execute("select count(*) from note").unwrap();
    through("create table note (id bigint)").unwrap();
    // More than any buffer on the way.
    let long = "x".repeat(1_000_000);
    assert_eq!(through(&format!("select repeat('{}', 1000)", &long[..10_000])).unwrap().len(), 10_000_000);

    wire.cut_at(Cut::Before, "insert", 2);
    assert!(through("insert into note values (1)").is_err());
    assert!(through("INSERT into note values (1)").is_err());
    assert_eq!((notes(), wire.cuts()), ("0".to_owned(), 2));
    through("insert into note values (1)").unwrap();

    wire.cut_at(Cut::After, "insert", 1);
    let error = through("insert into note values (2)").unwrap_err();
    assert!(error.to_string().contains("closed the connection unexpectedly"), "{error}");
    assert_eq!((notes(), wire.cuts()), ("2".to_owned(), 3));
    assert_eq!(through("select count(*) from note").unwrap(), "2");
}

#[test]
fn a_wire_can_lead_elsewhere_and_cuts_those_who_are_on_it() {
    let (here, there) = (Server::start(Options::default()).unwrap(), Server::start(Options::default()).unwrap());
    there.execute("create table note (id bigint)").unwrap();
    let wire = Wire::to(&here.address()).unwrap();
    let look = "select to_regclass('public.note') is not null";
    assert_eq!(here.execute_at(&wire.url(DATABASE), look).unwrap(), "f");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| here.execute_at(&wire.url(DATABASE), "select pg_sleep(600)"));
        let sleepers = "select count(*) from pg_stat_activity where query like 'select pg_sleep%'";
        while here.execute(sleepers).unwrap() == "0" {}
        wire.lead_to(&there.address());
        assert!(waiting.join().unwrap().is_err());
    });
    assert_eq!(here.execute_at(&wire.url(DATABASE), look).unwrap(), "t");
    let url = wire.url(DATABASE);
    drop(wire);
    assert!(here.execute_at(&url, look).is_err());
}
