//! What operators do from a shell to sagas that get stuck. Tables that refuse what a step needs see to that.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::orchestrator::v1::SuspendSagaRequest;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use serde_json::Value;
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use crate::load;
use crate::process::{Skald, run, stderr, stdout};
use crate::shop::{self, Order, Size};
use crate::tools::{json, text};

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A failing participant is asked again and again.
const KEEP_ASKING: [&str; 2] = ["--set", "orchestrator.limits.breaker_failures=1000000"];

/// Points that are set aside cannot be moved.
const NO_CAPTURE: &str = "create trigger no_capture before update on customer_point_reservations when new.state = 2 \
    begin select raise(abort, 'broken by a test'); end";
const MEND: &str = "drop trigger no_capture";
/// A lock that was taken cannot be given back.
const NO_UNLOCK: &str = "create trigger no_unlock before update on concert_reservations \
    when old.state = 2 and new.state = 1 begin select raise(abort, 'broken by a test'); end";

/// Changes the database of a Skald that does not run.
async fn change(data_dir: &Path, sql: impl Into<String>) {
    let sql: &'static str = sql.into().leak();
    let db = Db::open(data_dir, Arc::new(SystemClock)).unwrap();
    db.write::<_, db::Error, _>(async move |tx| tx.execute(sql, &[]).await).await.unwrap();
}

/// A shell before a running Skald.
struct Shell {
    address: String,
}

impl Shell {
    fn before(skald: &Skald) -> Self {
        Self { address: skald.address.clone() }
    }

    fn json(&self, arguments: &[&str]) -> Value {
        json(&[arguments, &["--json", "--address", &self.address]].concat())
    }

    /// What a command says that is refused.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = run(&[arguments, &["--address", &self.address]].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", stdout(&output));
        stderr(&output)
    }

    fn refused_of(&self, arguments: &[String]) -> String {
        self.refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn show(&self, saga: &str) -> Value {
        self.json(&["saga", "show", saga])
    }

    async fn until(&self, saga: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.show(saga);
            if wanted(&shown) {
                return shown;
            }
            assert!(Instant::now() < until, "it does not come to that: {shown:#}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until so many sagas are open and all of them in this state.
    async fn until_all(&self, state: &str, count: usize) {
        let until = Instant::now() + PATIENCE;
        loop {
            let stats = self.json(&["saga", "stats"]);
            if stats["countByState"][state] == count && stats["openCount"] == count {
                return;
            }
            assert!(Instant::now() < until, "it does not come to that: {stats:#}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What persons did to a saga.
    fn acts(&self, saga: &str) -> Vec<Value> {
        let lines = text(&["saga", "show", saga, "--history", "--json", "--address", &self.address]);
        let events = lines.lines().skip(1).map(|line| serde_json::from_str(line).unwrap());
        events.filter(|event: &Value| event["actor"].as_str().unwrap().starts_with("operator")).collect()
    }
}

/// Places the order without waiting for anything; tells the name of its saga.
async fn place(channel: &Channel, order: &Order) -> String {
    let order = Order { impatient: true, ..order.clone() };
    let placed = CheckoutServiceClient::new(channel.clone()).create_checkout(order.request()).await;
    placed.unwrap().into_inner().name.replace("checkouts", "sagas")
}

fn version(saga: &Value) -> String {
    saga["version"].to_string()
}

/// A Skald with one customer, who can pay one of his reservations. The first checkout gets stuck past its pivot, the second
/// when it is to be compensated; the others cannot even begin.
async fn stuck(data_dir: &Path) -> (Skald, Vec<Order>) {
    let skald = Skald::start(data_dir, &[]).await;
    let size = Size { customers: 1, seats_each: 30, affordable: 1, spare: 0 };
    let orders = shop::open(&skald.channel().await, size).await;
    skald.terminate().await;
    change(data_dir, NO_CAPTURE).await;
    change(data_dir, NO_UNLOCK).await;
    let id = |order: &Order| order.reservation.replace("reservations/", "").replace('-', "");
    let ids: Vec<_> = orders[2..].iter().map(|order| format!("x'{}'", id(order))).collect();
    let no_lock = format!(
        "create trigger no_lock before update on concert_reservations when new.reservation_id in ({}) \
         begin select raise(abort, 'broken by a test'); end",
        ids.join(", ")
    );
    change(data_dir, no_lock).await;
    (Skald::start(data_dir, &KEEP_ASKING).await, orders)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_past_its_pivot_is_hurried_held_and_let_go_but_not_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let (skald, orders) = stuck(dir.path()).await;
    let (shell, channel) = (Shell::before(&skald), skald.channel().await);
    let saga = place(&channel, &orders[0]).await;
    let saga = saga.as_str();
    shell.until(saga, |saga| saga["state"] == "COMPLETING").await;
    let told = shell.refused(&["saga", "abort", saga, "--reason", "enough"]);
    assert!(
        told.contains("reason PAST_PIVOT (state = COMPLETING)") && told.contains("only goes forward now"),
        "{told}"
    );
    shell.json(&["saga", "retry", saga, "--reason", "hurry"]);

    let held = shell.json(&["saga", "suspend", saga, "--reason", "a look"]);
    assert_eq!((&held["state"], &held["suspendedFrom"]), (&"SUSPENDED".into(), &"COMPLETING".into()));
    let told = shell.refused(&["saga", "retry", saga, "--reason", "hurry"]);
    assert!(told.contains("reason SAGA_SUSPENDED") && told.contains("`skald saga resume` lets it go on"), "{told}");
    let told = shell.refused(&["saga", "resume", saga, "--reason", "looked", "--expected-version", "1"]);
    assert!(told.contains("reason ETAG_MISMATCH (version = ") && told.contains("repeat with the --exp"), "{told}");
    let stats = shell.json(&["saga", "stats"]);
    let counts = ["openCount", "suspendedCount", "heldAmount", "heldSeatCount"].map(|field| stats[field].as_i64());
    assert_eq!(counts, [1, 1, 1_000, 0].map(Some), "the seat is sold, the points are not moved");
    let shown = text(&["saga", "stats", "--minutes", "60", "--address", &shell.address]);
    assert!(shown.contains("1 open, ") && shown.contains("capture-points"), "{shown}");

    // A reply that was under way is still recorded.
    let held = shell.until(saga, |saga| saga["steps"][4]["state"] == "UNCERTAIN").await;
    let going = shell.json(&["saga", "resume", saga, "--reason", "looked", "--expected-version", &version(&held)]);
    assert_eq!(going["state"], "COMPLETING");
    let told = shell.refused(&["saga", "resume", saga, "--reason", "looked"]);
    assert!(told.contains("reason SAGA_NOT_SUSPENDED (state = COMPLETING)"), "{told}");
    let reasons: Vec<_> = shell.acts(saga).into_iter().map(|act| act["reason"].clone()).collect();
    assert_eq!(reasons, ["hurry", "a look", "looked"].map(Value::from), "what was refused left no trace");
    skald.terminate().await;
    change(dir.path(), MEND).await;
    let skald = Skald::start(dir.path(), &[]).await;
    Shell::before(&skald).until(saga, |saga| saga["state"] == "COMPLETED").await;
    skald.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compensation_that_stays_stuck_is_settled_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let (skald, orders) = stuck(dir.path()).await;
    let (shell, channel) = (Shell::before(&skald), skald.channel().await);
    let first = place(&channel, &orders[0]).await;
    shell.until(&first, |saga| saga["state"] == "COMPLETING").await;
    let saga = place(&channel, &orders[1]).await;
    let saga = saga.as_str();
    let tries = |saga: &Value| {
        let attempts = saga["steps"][0]["attempts"].as_array().unwrap();
        attempts.iter().filter(|attempt| attempt["compensation"] == true).count()
    };
    shell.until(saga, |saga| tries(saga) >= 4).await;
    let step = ["--step", "lock-reservation", "--state", "compensated", "--evidence", "ticket 12"];
    let settle = |version: &str| {
        let why = ["--reason", "the seat is free", "--expected-version", version];
        let arguments = [&["saga", "resolve", saga][..], &step, &why].concat();
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    shell.json(&["saga", "suspend", saga, "--reason", "by hand"]);
    let told = shell.refused_of(&settle("1"));
    assert!(told.contains("reason ETAG_MISMATCH"), "{told}");
    let held = shell.until(saga, |saga| saga["steps"][0]["nextAttemptTime"] != Value::Null).await;
    let settled = settle(&version(&held));
    let settled: Vec<_> = settled.iter().map(String::as_str).collect();
    assert_eq!(shell.json(&settled)["steps"][0]["state"], "COMPENSATED");
    shell.json(&["saga", "resume", saga, "--reason", "done"]);
    shell.until(saga, |saga| saga["state"] == "COMPENSATED").await;
    let told = shell.refused(&["saga", "suspend", saga, "--reason", "a look"]);
    assert!(told.contains("reason SAGA_ENDED") && told.contains("never changes again"), "{told}");
    let told: Vec<_> = shell.acts(saga).iter().map(|act| (act["reason"].clone(), act["evidence"].clone())).collect();
    let expected = [("by hand", ""), ("the seat is free", "ticket 12"), ("done", "")];
    assert_eq!(told, expected.map(|(reason, evidence)| (reason.into(), evidence.into())));
    let shown = text(&["saga", "show", saga, "--history", "--address", &shell.address]);
    assert!(shown.contains("operator asked to suspend: by hand") && shown.contains("(evidence: ticket 12)"), "{shown}");
    skald.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saga_that_is_not_decided_is_aborted() {
    let dir = tempfile::tempdir().unwrap();
    let (skald, orders) = stuck(dir.path()).await;
    let (shell, channel) = (Shell::before(&skald), skald.channel().await);
    let mut client = SagaServiceClient::new(channel.clone());
    // It gives up by itself soon, so the first one that is caught in time is taken.
    for order in &orders[2..] {
        let saga = place(&channel, order).await;
        let request = SuspendSagaRequest { name: saga.clone(), reason: "wait".into(), expected_version: 0 };
        if client.suspend_saga(request).await.is_err() {
            continue;
        }
        shell.json(&["saga", "abort", &saga, "--reason", "enough"]);
        let ended = shell.until(&saga, |saga| saga["state"] == "COMPENSATED").await;
        assert_eq!((&ended["failure"]["reason"], &ended["failure"]["message"]), (&"ABORTED".into(), &"enough".into()));
        skald.terminate().await;
        return;
    }
    panic!("no saga was caught before it gave up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_without_its_reason_is_not_sent() {
    for arguments in [
        &["saga", "abort", "x"][..],
        &["saga", "resolve", "x", "--step", "y", "--state", "refused", "--expected-version", "3", "--reason", "z"],
        &[
            "saga",
            "resolve",
            "x",
            "--step",
            "y",
            "--state",
            "gone",
            "--expected-version",
            "3",
            "--reason",
            "z",
            "--evidence",
            "e",
        ],
        &["saga", "retry", "x", "--reason", "y", "--expected-version", "0"],
        &["saga", "bulk", "start", "abort", "--filter", "state = RUNNING"],
        &["saga", "bulk", "start", "resolve", "--filter", "state = RUNNING", "--reason", "x"],
    ] {
        assert_eq!(run(arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_operation_goes_on_after_kill_9_and_takes_each_saga_once() {
    const SIZE: Size = Size { customers: 4, seats_each: 10, affordable: 10, spare: 0 };
    let dir = tempfile::tempdir().unwrap();
    let skald = Skald::start(dir.path(), &[]).await;
    let orders = shop::open(&skald.channel().await, SIZE).await;
    skald.terminate().await;
    change(dir.path(), NO_CAPTURE).await;
    let slowly = [&KEEP_ASKING[..], &["--set", "orchestrator.bulk_per_second=10"]].concat();
    let skald = Skald::start(dir.path(), &slowly).await;
    let (shell, channel) = (Shell::before(&skald), skald.channel().await);
    let mut sagas = Vec::new();
    for order in &orders {
        sagas.push(place(&channel, order).await);
    }
    let size = sagas.len();
    shell.until_all("COMPLETING", size).await;

    let filter = "state = COMPLETING";
    let trial = ["saga", "bulk", "start", "suspend", "--filter", filter, "--reason", "count", "--validate-only"];
    assert_eq!(shell.json(&trial)["matchedCount"], size);
    let id = "01990000-0000-7000-8000-0000000000b1";
    let start = ["saga", "bulk", "start", "suspend", "--filter", filter, "--reason", "a look", "--request-id", id];
    let operation = shell.json(&start);
    let name = operation["name"].as_str().unwrap();
    let until = Instant::now() + PATIENCE;
    while shell.json(&["saga", "bulk", "show", name])["appliedCount"].as_i64().unwrap() < 8 {
        assert!(Instant::now() < until, "it does not begin");
        sleep(Duration::from_millis(20)).await;
    }
    skald.kill();

    let skald = Skald::start(dir.path(), &slowly).await;
    let shell = Shell::before(&skald);
    let before = shell.json(&["saga", "bulk", "show", name]);
    assert!(before["endTime"].is_null(), "it was not through: {before:#}");
    let ended = shell.json(&[&start[..], &["--wait"]].concat());
    let counts = ["name", "matchedCount", "appliedCount", "refusedCount"].map(|field| ended[field].clone());
    assert_eq!(counts, [Value::from(name), size.into(), size.into(), 0.into()]);
    let shown = shell.json(&["saga", "bulk", "show", name, "--results"]);
    let results = shown["results"].as_array().unwrap();
    assert!(results.len() == size && results.iter().all(|result| result["state"] == "APPLIED"), "{shown:#}");
    for saga in &sagas {
        let by: Vec<_> = shell.acts(saga).into_iter().map(|act| act["actor"].clone()).collect();
        assert_eq!(by, [Value::from(format!("operator, {name}"))], "{saga} is asked once");
    }
    shell.until_all("SUSPENDED", size).await;
    skald.terminate().await;

    // Once the cause is mended all of them come to their end, and the books balance.
    change(dir.path(), MEND).await;
    let skald = Skald::start(dir.path(), &[]).await;
    let (shell, channel) = (Shell::before(&skald), skald.channel().await);
    let resume = ["saga", "bulk", "start", "resume", "--filter", "state = SUSPENDED", "--reason", "mended", "--wait"];
    assert_eq!(shell.json(&resume)["appliedCount"], size);
    for saga in &sagas {
        assert_eq!(load::ended(&channel, &saga.replace("sagas", "checkouts")).await, State::Completed);
    }
    let stats = shell.json(&["saga", "stats"]);
    assert_eq!((&stats["openCount"], &stats["exposures"]), (&Value::from(0), &Value::from(Vec::<Value>::new())));
    let listed = shell.json(&["saga", "bulk", "list"]);
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let report = run(&["verify", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(0), "{}", stdout(&report));
    skald.terminate().await;
    change(dir.path(), "update orchestrator_bulk set applied = applied - 1").await;
    let report = run(&["verify", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(1), "it counts what it should not: {}", stdout(&report));
}
