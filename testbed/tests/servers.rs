//! Private servers: what each knob does, and that none outlives its test.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use testbed::postgres::{DATABASE, Options, Server, Stop};

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for {what}");
}

#[test]
fn a_server_is_set_up_as_asked_and_belongs_to_the_application() {
    let options = Options { fsync: true, max_connections: 17, ..Options::default() };
    let server = Server::start(options.with("work_mem", "5MB")).unwrap();
    let shown = |name: &str| server.execute(&format!("show {name}")).unwrap();
    assert_eq!([shown("fsync"), shown("max_connections"), shown("work_mem")], ["on", "17", "5MB"]);
    assert_eq!(
        server.execute("select pg_encoding_to_char(encoding), datcollate from pg_database").unwrap().lines().next(),
        Some("UTF8|C.UTF-8")
    );
    assert_eq!(
        server.execute("select current_database(), usesuper from pg_user where usename = 'skald'").unwrap(),
        "skald|f"
    );
    assert!(server.url(DATABASE).starts_with("postgres://skald@127.0.0.1:"));
    let error = server.execute("select nothing").unwrap_err();
    assert!(error.to_string().contains("column \"nothing\" does not exist"), "{error}");
}

#[test]
fn what_was_committed_is_there_after_every_kind_of_end() {
    let server = Server::start(Options::default()).unwrap();
    server.execute("create table note (id bigint)").unwrap();
    let ends: [(&str, &dyn Fn()); 4] = [
        ("fast", &|| server.stop(Stop::Fast).unwrap()),
        ("immediate", &|| server.stop(Stop::Immediate).unwrap()),
        ("smart", &|| server.stop(Stop::Smart).unwrap()),
        ("killed", &|| server.kill9().unwrap()),
    ];
    for (number, (name, end)) in (1..).zip(ends) {
        server.execute(&format!("insert into note values ({number})")).unwrap();
        end();
        assert!(server.execute("select 1").is_err(), "{name}");
        assert!(server.stop(Stop::Fast).is_err(), "{name}");
        server.restart().unwrap();
        assert_eq!(server.execute("select count(*) from note").unwrap(), number.to_string(), "{name}");
    }
    server.restart_with("fsync", "on").unwrap();
    assert_eq!(server.execute("show fsync").unwrap(), "on");
}

#[test]
fn a_frozen_server_answers_nobody_until_it_goes_on() {
    let server = Server::start(Options::default()).unwrap();
    std::thread::scope(|scope| {
        server.sigstop().unwrap();
        let asking = scope.spawn(|| server.execute("select 1").unwrap());
        std::thread::sleep(Duration::from_millis(300));
        assert!(!asking.is_finished());
        server.sigcont().unwrap();
        assert_eq!(asking.join().unwrap(), "1");
    });
    server.sigstop().unwrap();
    server.stop(Stop::Fast).unwrap();
}

#[test]
fn a_standby_takes_over_whatever_it_has_still_to_replay() {
    let options = Options::default().with("max_standby_streaming_delay", "100ms");
    let primary = Server::start(options).unwrap();
    primary.execute("create table note (id bigint); insert into note select generate_series(1, 1000)").unwrap();
    let standby = primary.standby().unwrap();
    standby.execute("select pg_wal_replay_pause()").unwrap();
    primary.execute("delete from note").unwrap();
    primary.execute("vacuum note").unwrap();
    let written = primary.execute("select pg_current_wal_lsn()").unwrap();
    let received = format!("select pg_last_wal_receive_lsn() >= '{written}'");
    while standby.execute(&received).unwrap() != "t" {}
    primary.kill9().unwrap();
    standby.promote().unwrap();
    assert_eq!(standby.execute("select count(*) from note").unwrap(), "0");
}

#[test]
fn a_standby_follows_refuses_writes_and_takes_over() {
    let primary = Server::start(Options::default()).unwrap();
    let standby = primary.standby().unwrap();
    primary.execute("create table note (id bigint); insert into note values (1)").unwrap();
    standby.catch_up_with(&primary).unwrap();
    assert_eq!(standby.execute("select id from note").unwrap(), "1");
    let error = standby.execute("insert into note values (2)").unwrap_err();
    assert!(error.to_string().contains("read-only transaction"), "{error}");
    primary.kill9().unwrap();
    standby.promote().unwrap();
    standby.execute("insert into note values (2)").unwrap();
    assert_eq!(standby.execute("select count(*) from note").unwrap(), "2");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    let error = Server::start(Options::default().with("shared_buffers", "nonsense")).unwrap_err();
    assert!(error.to_string().contains("invalid value for parameter \"shared_buffers\""), "{error}");
}

#[test]
fn a_dropped_server_leaves_nothing_behind() {
    let server = Server::start(Options::default()).unwrap();
    let (folder, address) = (server.folder(), server.address());
    assert!(folder.join("data").is_dir());
    drop(server);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(address).is_err());
}

/// Tells where its server is, and waits to be killed.
#[test]
#[ignore = "the process that the next test kills"]
fn victim() {
    let server = Server::start(Options::default()).unwrap();
    let standby = server.standby().unwrap();
    standby.sigstop().unwrap();
    let told = format!("{}\n{}\n", server.folder().display(), standby.folder().display());
    std::fs::write(std::env::var("SKALD_TEST_TELL").unwrap(), told).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn servers_die_with_the_process_that_is_killed() {
    let told = tempfile::NamedTempFile::new().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--ignored"])
        .env("SKALD_TEST_TELL", told.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let folders = || std::fs::read_to_string(told.path()).unwrap();
    eventually("two servers", || folders().lines().count() == 2);
    let processes: Vec<String> = folders().lines().map(|folder| postmaster(Path::new(folder))).collect();
    assert!(processes.iter().all(|number| runs(number)));
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually("the servers to end", || !processes.iter().any(|number| runs(number)));
    eventually("the folders to go", || !folders().lines().any(|folder| Path::new(folder).exists()));
}

fn postmaster(folder: &Path) -> String {
    let status = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    status.lines().next().unwrap().to_owned()
}

/// Whether a process is there and is no corpse that nobody has fetched.
fn runs(number: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.trim_start().starts_with('Z'))
}

#[test]
fn without_an_installation_the_error_says_what_to_install() {
    // Another process, as the environment belongs to all tests of this one.
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_dropped_server_leaves_nothing_behind"])
        .env("SKALD_POSTGRES_BIN", "/nowhere")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("SKALD_POSTGRES_BIN is /nowhere, where some of initdb, postgres"), "{said}");
}
