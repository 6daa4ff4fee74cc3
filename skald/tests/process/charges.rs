//! Charges of points by card, with a processor that misbehaves and a binary that is killed: no money is taken for nothing,
//! and none is given for nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use outside::processor::{Arguments, Faults, Processor, State as Standing};
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::{Card, CreatePointChargeRequest, PointCharge};
use proto::payment::v1::payment::Method;
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use service_kit::wire::duration;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use crate::process::{Skald, run, stdout};

const CHARGES: usize = 40;
const KILLS: usize = 3;
const AMOUNT: i64 = 10_000;
const SECRET: &str = "shared";
/// How long all of it may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const FAULTS: Faults = Faults {
    delay_ms: 300,
    hold: false,
    down: false,
    reset: false,
    unavailable: 50,
    lose_request: 100,
    lose_reply: 100,
    twice: 100,
    decline: 100,
    decline_capture: 100,
    webhook_delay_ms: 500,
    webhook_twice: 200,
    webhook_lost: 200,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charges_by_card_survive_a_bad_processor_and_kills() {
    let dir = tempfile::tempdir().unwrap();
    let processor = Processor::start(Arguments { faults: FAULTS, ..Arguments::loopback(7) }).await.unwrap();
    let settings = [
        format!("payment.processor={}", processor.url()),
        format!("payment.processor_secret={SECRET}"),
        "payment.processor_poll_ms=1000".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting.as_str()]).collect();
    let mut skald = start(dir.path(), &settings, &processor).await;
    let mut channel = skald.channel().await;
    let orders = orders(&customers(&channel).await);
    for round in 0..=KILLS {
        // Who got no answer asks again with the same id.
        let asked = orders.iter().map(|order| ask(&channel, order.clone()));
        let asked = futures_util::future::join_all(asked);
        if round == KILLS {
            asked.await;
            break;
        }
        drop(tokio::time::timeout(Duration::from_millis(700), asked).await);
        skald.kill();
        skald = start(dir.path(), &settings, &processor).await;
        channel = skald.channel().await;
    }

    let mut ends = BTreeMap::new();
    let started = Instant::now();
    while ends.len() < orders.len() {
        assert!(started.elapsed() < PATIENCE, "only {ends:?} have ended");
        for order in &orders {
            let charge = ask(&channel, order.clone()).await.expect("it is there");
            if matches!(charge.state(), State::Completed | State::Failed) {
                ends.insert(charge.customer.clone(), charge);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    processor.settle().await;
    compare(&channel, &processor, &ends).await;
    assert_eq!(skald.terminate().await.0, Some(0));
    let report = run(&["verify", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(report.status.code(), Some(0), "{}", stdout(&report));
}

/// Starts the binary and tells the processor where it is now.
async fn start(dir: &std::path::Path, settings: &[&str], processor: &Processor) -> Skald {
    let skald = Skald::start(dir, settings).await;
    processor.send_webhooks(&format!("{}/processor/webhooks", skald.address), SECRET).unwrap();
    skald
}

async fn customers(channel: &Channel) -> Vec<String> {
    let mut client = CustomerServiceClient::new(channel.clone());
    let mut customers = Vec::new();
    for _ in 0..CHARGES {
        let wanted = customer::Customer { display_name: "Kim".into(), ..Default::default() };
        let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
        customers.push(client.create_customer(request).await.unwrap().into_inner().name);
    }
    customers
}

/// A charge for each customer.
fn orders(customers: &[String]) -> Vec<CreatePointChargeRequest> {
    let (ids, now_ms) = (Ids::seeded(3), SystemClock.now_ms());
    let order = |customer: &String| CreatePointChargeRequest {
        point_charge: Some(PointCharge {
            customer: customer.clone(),
            amount: AMOUNT,
            payment_method: Method::Card.into(),
            ..Default::default()
        }),
        wait: Some(duration(0)),
        request_id: ids.next(now_ms).to_string(),
        card: Some(Card { processor_token: "tok_1".into(), last_four: "4242".into() }),
    };
    customers.iter().map(order).collect()
}

async fn ask(channel: &Channel, order: CreatePointChargeRequest) -> Option<PointCharge> {
    let answer = CheckoutServiceClient::new(channel.clone()).create_point_charge(order).await;
    Some(answer.ok()?.into_inner())
}

/// Points are there exactly where money is taken, and nothing is held.
async fn compare(channel: &Channel, processor: &Processor, ends: &BTreeMap<String, PointCharge>) {
    let books = processor.books();
    let mut counts = (0, 0);
    for (customer, charge) in ends {
        let request = customer::GetPointAccountRequest { name: format!("{customer}/pointAccount") };
        let account = PointServiceClient::new(channel.clone()).get_point_account(request).await.unwrap().into_inner();
        let id = charge.name.strip_prefix("pointCharges/").unwrap();
        let standing = books.get(id).map(|payment| payment.state);
        if charge.state() == State::Completed {
            counts.0 += 1;
            assert_eq!((standing, account.posted_balance), (Some(Standing::Captured), AMOUNT), "{charge:?}");
        } else {
            counts.1 += 1;
            let nothing = matches!(standing, None | Some(Standing::Voided | Standing::Declined));
            assert!(nothing && account.posted_balance == 0, "{standing:?} {account:?} {charge:?}");
        }
    }
    println!("{} charges completed, {} failed", counts.0, counts.1);
    assert!(counts.0 > 0 && counts.1 > 0, "there was luck and bad luck");
}
