//! Wrong settings, and places where no data can be kept: each is told by its name, with what to do about it.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use crate::process::{Skald, command, run, stderr, stdout};

/// What a wrong setting ends with.
const USAGE: Option<i32> = Some(64);
/// What all else ends with that does not work out.
const FAILED: Option<i32> = Some(1);

#[test]
fn a_wrong_flag_is_told_with_its_key_and_what_it_must_be() {
    for (setting, told) in [
        ("orchestrator.wait=1", ["orchestrator.wait = 1 (on the command line)", "expected one of `limits`"]),
        ("nonsense=1", ["nonsense = 1", "expected one of `server`"]),
        ("orchestrator.wait_ms", ["\"orchestrator.wait_ms\" has no value", "section.key=value"]),
        ("orchestrator.wait_ms=soon", ["orchestrator.wait_ms = \"soon\"", "the default is 5000"]),
        ("orchestrator.wait_ms=-1", ["orchestrator.wait_ms = -1", "the default is 5000"]),
        ("server.log_format=xml", ["server.log_format = \"xml\"", "expected `text` or `json`"]),
        ("server.listen=nonsense", ["server.listen = nonsense", "an address and a port"]),
        ("server.listen=0.0.0.0:0", ["server.listen = 0.0.0.0:0", "nobody is authenticated yet"]),
        ("orchestrator.limits.calls=0", ["orchestrator.limits.calls = 0", "it must be 1 to 800"]),
        ("orchestrator.undecided_ms=0", ["orchestrator.undecided_ms = 0", "it must be at least 1"]),
        ("server.limits.calls=0", ["server.limits.calls = 0", "it must be at least 1"]),
        ("server.limits.request_timeout_ms=0", ["server.limits.request_timeout_ms = 0", "it must be at least 1"]),
        ("server.limits.header_list_bytes=0", ["server.limits.header_list_bytes = 0", "the default is 8192"]),
        ("server.threads=5000", ["server.threads = 5000", "it must be 0 to 1024"]),
        ("token.sweep_batch=0", ["token.sweep_batch = 0", "it must be at least 1; the default is 200"]),
        ("token.poll_memory=10000001", ["token.poll_memory = 10000001", "it must be 1 to 10000000"]),
        ("token.store=redis://", ["token.store = \"redis://\"", "such as redis://host:port/0"]),
        ("token.store=redis://a:b", ["token.store = \"redis://a:b\"", "such as redis://host:port/0"]),
        ("concert.sweep_batch=-1", ["concert.sweep_batch = -1", "it must be at least 1; the default is 100"]),
        ("payment.amount_limit=0", ["payment.amount_limit = 0", "it must be at least 1"]),
        (
            "events.sinks=[\"pigeon\"]",
            ["events.sinks = [\"pigeon\"]", "expected one of `log`, `webhook`, `nats`, `kafka`"],
        ),
        ("events.sinks=[\"log\", \"log\"]", ["events.sinks", "a sink can be named only once"]),
        (
            "events.webhook.url=https://x",
            ["events.webhook.url = \"https://x\"", "must look like http://host:port/path"],
        ),
        ("events.webhook.timeout_ms=30000", ["events.webhook.timeout_ms = 30000", "it must be 1 to 20000"]),
        ("events.nats.url=http://x", ["events.nats.url = \"http://x\"", "must look like nats://host:port"]),
        ("events.nats.stream=a.b", ["events.nats.stream = \"a.b\"", "must be without dots"]),
        ("events.kafka.brokers=[]", ["events.kafka.brokers = []", "must be a list of host:port, one at least"]),
        ("events.kafka.partitions=0", ["events.kafka.partitions = 0", "it must be 1 to 1000"]),
        ("events.keep_days=0", ["events.keep_days = 0", "it must be at least 1"]),
        ("database.url=mysql://x", ["database.url", "must begin with postgresql://"]),
        ("database.connections=1", ["database.connections = 1", "it must be 2 to 1000"]),
        ("peers.token=http://127.0.0.1:1", ["peers.token", "expected one of `server`"]),
        ("server.log=skald=loud", ["\"skald=loud\" (server.log)", "an example is warn,skald=debug"]),
    ] {
        let output = run(&["up", "--set", setting]);
        assert_eq!(output.status.code(), USAGE, "{setting}: {}", stderr(&output));
        assert!(told.iter().all(|told| stderr(&output).contains(told)), "{setting}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_variable_is_told_by_its_name() {
    for (name, value, told) in [
        ("SKALD_ORCHESTRATOR__WAIT_MS", "soon", "orchestrator.wait_ms = \"soon\" (environment variable SKALD_ORCHE"),
        ("SKALD_ORCHESTRATOR__WAIT", "1", "orchestrator.wait = 1 (environment variable SKALD_ORCHESTRATOR__WAIT)"),
        ("SKALD_LOG", "skald=loud", "\"skald=loud\" (SKALD_LOG)"),
    ] {
        let output = command().env(name, value).arg("up").output().unwrap();
        assert_eq!(output.status.code(), USAGE, "{name}: {}", stderr(&output));
        assert!(stderr(&output).contains(told), "{name}: {}", stderr(&output));
    }
}

#[test]
fn a_wrong_file_is_told_with_what_is_wrong_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skald.toml");
    let load = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        run(&["up", "--config", file.to_str().unwrap()])
    };
    for (content, told) in [
        (&b"[orchestrator\n"[..], "line 1, column 14"),
        (b"[orchestrator]\nwait = 7\n", "orchestrator.wait = 7 (in "),
        (b"orchestrator = 7\n", "orchestrator = 7 (in "),
        (b"\xff\xfe", "cannot be read"),
    ] {
        let output = load(content);
        assert_eq!(output.status.code(), USAGE, "{told}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains(told) && said.contains("skald.toml"), "{said}");
    }
    let missing = run(&["up", "--config", "/nowhere/skald.toml"]);
    assert_eq!(missing.status.code(), USAGE);
    assert!(stderr(&missing).contains("/nowhere/skald.toml cannot be read"), "{}", stderr(&missing));
}

#[test]
fn a_wrong_command_line_is_told_with_its_usage() {
    for arguments in [&["up", "--nonsense"][..], &["nonsense"], &["checkout", "--customer", "x"], &[]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), USAGE, "{arguments:?}");
        assert!(stderr(&output).contains("Usage: skald"), "{}", stderr(&output));
    }
    for arguments in [&["--help"][..], &["--version"], &["up", "--help"], &["saga", "list", "--help"]] {
        let output = run(arguments);
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn the_settings_that_are_printed_can_be_read_back() {
    let printed = stdout(&run(&["up", "--print-config", "--set", "orchestrator.wait_ms=7"]));
    assert!(printed.contains("wait_ms = 7"), "{printed}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("skald.toml");
    std::fs::write(&file, &printed).unwrap();
    assert_eq!(stdout(&run(&["up", "--print-config", "--config", file.to_str().unwrap()])), printed);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_too_large_to_start_with() {
    let dir = tempfile::tempdir().unwrap();
    let numbers = stdout(&run(&["up", "--print-config"]));
    let mut section = "";
    let mut settings = Vec::new();
    for line in numbers.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ").filter(|(_, value)| value.parse::<i64>().is_ok()) {
            settings.push(format!("{section}.{key}={}", i64::MAX));
        }
    }
    assert!(settings.len() > 30, "{numbers}");
    // Some are refused, as their type is small; none makes it fall over.
    for setting in settings {
        let output = run(&["up", "--print-config", "--set", &setting]);
        assert!([Some(0), USAGE].contains(&output.status.code()), "{setting}: {}", stderr(&output));
        if output.status.success() {
            let skald = Skald::start(dir.path(), &["--set", &setting]).await;
            assert_eq!(skald.terminate().await.0, Some(0), "{setting}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_or_a_port_is_used_by_one_process_at_a_time() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let skald = Skald::start(dir.path(), &[]).await;
    let said = refuses_to_start(dir.path(), "127.0.0.1:0").await;
    assert!(said.contains("is in use by another process; stop it or choose another one"), "{said}");
    let address = skald.address.trim_start_matches("http://");
    let said = refuses_to_start(other.path(), address).await;
    assert!(said.contains(&format!("cannot listen on {address}; choose another address with --listen")), "{said}");
    assert_eq!(skald.terminate().await.0, Some(0), "it has not been disturbed");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_data_can_be_kept_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "a file").unwrap();
    let said = refuses_to_start(&file, "127.0.0.1:0").await;
    assert!(said.contains("cannot create the data directory") && said.contains("file"), "{said}");
    // Nobody can create anything here, whoever he is.
    let said = refuses_to_start(Path::new("/proc/skald"), "127.0.0.1:0").await;
    assert!(said.contains("cannot create the data directory /proc/skald"), "{said}");

    let spoilt = dir.path().join("spoilt");
    std::fs::create_dir(&spoilt).unwrap();
    std::fs::write(spoilt.join("skald.db"), "this is no database, and never was").unwrap();
    let said = refuses_to_start(&spoilt, "127.0.0.1:0").await;
    assert!(said.contains("skald.db") && said.contains("not a database"), "{said}");
    assert_eq!(std::fs::read(spoilt.join("skald.db")).unwrap(), b"this is no database, and never was");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = refuses_to_start(&dir.path().join("data"), &address).await;
    assert!(said.contains(&format!("cannot listen on {address}")), "{said}");
    assert!(!dir.path().join("data").exists(), "nothing is left behind");
}

/// Starts it where it cannot run, and tells what it says.
async fn refuses_to_start(data_dir: &Path, listen: &str) -> String {
    let mut command = command();
    command.args(["up", "--listen", listen, "--data-dir"]).arg(data_dir);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = timeout(Duration::from_secs(20), ended).await.expect("it does not start").unwrap();
    assert_eq!(output.status.code(), FAILED, "{}", stderr(&output));
    assert_eq!(stdout(&output), "", "it does not say that it is up");
    stderr(&output)
}
