//! Notices of a sale over five processes: what the orchestrator tells goes over a webhook to the payment service, which tells
//! the provider; and whoever dies in between, each buyer hears of each purchase once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use outside::messenger::{Behaviour, Messenger};
use outside::mood::Mood;
use proto::orchestrator::v1::checkout::State;
use service_kit::clock::SystemClock;
use tokio::time::{Instant, sleep};

use super::Services;
use crate::load::{self, Ledger, Load};
use crate::shop::{self, Size};

const SIZE: Size = Size { customers: 10, seats_each: 10, affordable: 8, spare: 0 };
/// How long all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_bought_hears_once_whoever_dies_on_the_way() {
    let mood = Mood { error_percent: 10, lost_percent: 20, ..Mood::default() };
    let provider = Messenger::new(Behaviour { mood, ..Behaviour::default() }, 7, Arc::new(SystemClock));
    let listening = provider.listen("127.0.0.1:0").await.unwrap();
    let mut services = Services::start_with(None, Some(listening.url())).await;
    let orders =
        shop::open_apart((&services.channel("concert").await, &services.channel("customer").await), SIZE).await;
    let ledger = Ledger::new(orders.clone());
    let channel = services.channel("orchestrator").await;
    let load = Load::start(&channel, &ledger);
    for _ in 0..2 {
        load.answers(30).await;
        services.restart("payment").await;
    }
    load.end().await;
    let accepted = ledger.accepted().clone();
    let mut bought = BTreeSet::new();
    for order in &orders {
        if load::ended(&channel, &accepted[&order.request_id]).await == State::Completed {
            bought.insert(order.reservation.clone());
        }
    }
    // What is still on its way then is told by those who come after.
    services.restart("orchestrator").await;
    services.restart("payment").await;

    let started = Instant::now();
    let told = loop {
        let books = provider.books();
        if books.delivered.len() >= bought.len() && books.under_way == 0 {
            break books.delivered;
        }
        assert!(started.elapsed() < PATIENCE, "{} of {} have heard", books.delivered.len(), bought.len());
        sleep(Duration::from_millis(50)).await;
    };
    let of_whom: BTreeSet<_> = told.iter().map(|message| message.variables["reservation"].clone()).collect();
    assert_eq!((told.len(), of_whom), (bought.len(), bought), "each hears once, and nobody who has not bought");
    services.end().await;
}
