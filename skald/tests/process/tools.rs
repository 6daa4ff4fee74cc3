//! The tools of those who run it, against a running one and over what one has left behind.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db};
use tonic::transport::Channel;

use crate::load::{self, Ledger, Load};
use crate::process::{Skald, run, stderr, stdout};
use crate::shop::{self, Size};

const SIZE: Size = Size { customers: 4, seats_each: 5, affordable: 4, spare: 1 };

/// Runs a tool and reads the JSON that it prints.
pub(crate) fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap_or_else(|error| panic!("{error}: {}", stdout(&output)))
}

pub(crate) fn text(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

/// Everybody buys, and every checkout ends.
async fn buy_all(channel: &Channel, ledger: &Arc<Ledger>) {
    Load::start(channel, ledger).end().await;
    let accepted = ledger.accepted().clone();
    for checkout in accepted.values() {
        load::ended(channel, checkout).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_place_a_checkout_and_follow_its_saga() {
    let dir = tempfile::tempdir().unwrap();
    let skald = Skald::start(dir.path(), &[]).await;
    let channel = skald.channel().await;
    let ledger = Ledger::new(shop::open(&channel, SIZE).await);
    let orders = ledger.waiting().clone();
    buy_all(&channel, &ledger).await;
    let address = ["--address", skald.address.as_str()];
    let with = |arguments: &[&'static str]| [arguments, &address].concat();

    let all = json(&with(&["saga", "list", "--json"]));
    assert_eq!(all.as_array().unwrap().len(), 20);
    let failed = json(&with(&["saga", "list", "--json", "--filter", "state = COMPENSATED", "--limit", "2"]));
    assert_eq!(failed.as_array().unwrap().len(), 2);
    let name = failed[0]["name"].as_str().unwrap().to_owned();
    let shown = json(&[&["saga", "show", &name, "--json"], &address[..]].concat());
    assert_eq!((&shown["name"], &shown["state"]), (&failed[0]["name"], &Value::from("COMPENSATED")));
    assert_eq!(shown["failure"]["reason"], "INSUFFICIENT_POINTS");
    let history = text(&[&["saga", "show", &name, "--history"], &address[..]].concat());
    assert!(history.contains("lock-reservation") && history.contains("v1 "), "{history}");
    // A saga that has ended is shown once.
    let watched = json(&[&["saga", "watch", &name, "--json"], &address[..]].concat());
    assert_eq!(watched["state"], "COMPENSATED");
    assert!(text(&with(&["saga", "list"])).contains(&name));

    let made_up = json(&with(&["checkout", "--json"]));
    assert!(["COMPLETING", "COMPLETED"].map(Value::from).contains(&made_up["state"]), "{made_up}");
    let order = &orders[0];
    let again = ["checkout", "--json", "--customer", &order.customer, "--reservation", &order.reservation];
    let placed = json(&[&again, &["--request-id", &order.request_id][..], &address].concat());
    let before = ledger.accepted()[&order.request_id].clone();
    assert_eq!(placed["name"], before, "the same request is the same checkout");
    skald.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tools_tell_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let skald = Skald::start(dir.path(), &[]).await;
    let url = skald.address.clone();
    let address = ["--address", url.as_str()];
    for (arguments, told) in [
        (&["saga", "show", "nonsense"][..], "name: must be a UUID"),
        (&["saga", "show", "01990000-0000-7000-8000-0000000000ff"], "reason SAGA_NOT_FOUND"),
        (&["saga", "list", "--filter", "nonsense"], "filter: at character"),
        (&["checkout"], "no concert with a free seat is on sale"),
        (&["checkout", "--customer", "x", "--reservation", "y"], "checkout.customer: must look like customers/{id}"),
    ] {
        let output = run(&[arguments, &address].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(told), "{arguments:?}: {}", stderr(&output));
    }
    skald.terminate().await;
    let nobody = run(&[&["saga", "list"], &address[..]].concat());
    assert_eq!(nobody.status.code(), Some(1));
    assert!(stderr(&nobody).contains("is `skald up` running there?"), "{}", stderr(&nobody));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_does_not_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let skald = Skald::start(dir.path(), &[]).await;
    let channel = skald.channel().await;
    buy_all(&channel, &Ledger::new(shop::open(&channel, SIZE).await)).await;
    assert_eq!(check(dir.path()), (Some(0), true), "while it runs");
    skald.terminate().await;
    assert_eq!(check(dir.path()), (Some(0), true), "when it has ended");

    for (spoil, told) in [
        ("update customer_customers set posted = posted + 1", "posted"),
        ("update concert_reservations set total_amount = total_amount + 1", "about"),
        ("delete from concert_tickets", "ticket"),
        ("update payment_payments set state = 4 where state = 3", "payment"),
    ] {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join("skald.db"), copy.path().join("skald.db")).unwrap();
        let db = Db::open(copy.path(), Arc::new(SystemClock)).unwrap();
        let changed: Result<u64, db::Error> = db.write(async move |tx| tx.execute(spoil, &[]).await).await;
        assert!(changed.is_ok_and(|count| count > 0), "{spoil}");
        assert_eq!(check(copy.path()), (Some(1), false), "{spoil}");
        let report = stdout(&run(&["verify", "--data-dir", copy.path().to_str().unwrap()]));
        assert!(report.contains("NOT all hold") && report.contains(told), "{spoil}: {report}");
    }
    let missing = run(&["verify", "--data-dir", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(2), "it could not look, which is no verdict");
    assert!(stderr(&missing).contains("/nowhere"), "{}", stderr(&missing));
}

/// The exit code, and whether the books are clean by the JSON.
fn check(data_dir: &Path) -> (Option<i32>, bool) {
    let output = run(&["verify", "--json", "--data-dir", data_dir.to_str().unwrap()]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let found = report["rules"].as_array().unwrap().iter().any(|rule| !rule["findings"].as_array().unwrap().is_empty());
    assert_eq!(report["clean"], !found);
    (output.status.code(), !found)
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&["completions", shell]);
        assert!(script.contains("skald") && script.contains("verify"), "{shell}");
    }
}
