//! `kill -9` under load, again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;

use crate::load::{self, Ledger, Load};
use crate::process::{Skald, run, stdout};
use crate::shop::{self, Size};

const KILLS: usize = 20;
/// How soon an open saga must go on. In a debug build on a busy machine; what it takes is printed.
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_twenty_times_under_load_it_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Rng::with_seed(20);
    let mut skald = Skald::start(dir.path(), &[]).await;
    let mut channel = skald.channel().await;
    let size = Size { customers: 50, seats_each: 40, affordable: 15, spare: 0 };
    let ledger = Ledger::new(shop::open(&channel, size).await);
    let (mut open_at_kills, mut slowest) = (0, Duration::ZERO);
    for _ in 0..KILLS {
        let load = Load::start(&channel, &ledger);
        load.answers(random.usize(10..70)).await;
        load.expect_the_worst();
        skald.kill();
        load.end().await;
        verify(dir.path());
        let open = load::open_sagas(dir.path()).await;
        open_at_kills += open.len();
        skald = Skald::start(dir.path(), &[]).await;
        channel = skald.channel().await;
        slowest = slowest.max(load::resumed(&skald, &channel, open).await);
    }
    // Nobody new comes; who got no answer asks once more.
    ledger.waiting().retain(|order| ledger.doubted().contains_key(&order.request_id));
    Load::start(&channel, &ledger).end().await;

    let (accepted, doubted) = (ledger.accepted().clone(), ledger.doubted().clone());
    let mut completed = 0;
    for checkout in accepted.values() {
        completed += usize::from(load::ended(&channel, checkout).await == State::Completed);
    }
    let failed = accepted.len() - completed;
    let mut client = CheckoutServiceClient::new(channel.clone());
    for order in doubted.values() {
        let again = client.create_checkout(order.request()).await.expect("it was accepted").into_inner();
        assert_eq!(accepted[&order.request_id], again.name, "{order:?}");
    }
    let told: BTreeSet<_> = accepted.values().cloned().collect();
    assert_eq!(load::all_checkouts(&channel).await, told, "each request is one checkout, and there are no others");
    println!(
        "{KILLS} kills, {} checkouts accepted: {completed} completed, {failed} failed; {} requests in doubt, each the \
         same checkout when repeated; {open_at_kills} sagas open at the kills went on within {} ms",
        accepted.len(),
        doubted.len(),
        slowest.as_millis(),
    );
    assert!(completed > 0 && failed > 0 && doubted.len() >= KILLS && open_at_kills >= KILLS, "there was load");
    assert!(slowest < SOON, "{slowest:?}");
    assert_eq!(skald.terminate().await.0, Some(0));
    assert!(load::open_sagas(dir.path()).await.is_empty());
    verify(dir.path());
}

fn verify(data_dir: &std::path::Path) {
    let report = run(&["verify", "--data-dir", data_dir.to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(0), "{}", stdout(&report));
}
