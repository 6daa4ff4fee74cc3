//! A sale over five processes, of which each participant is killed once.

use std::collections::BTreeMap;

use proto::concert::v1::GetReservationRequest;
use proto::concert::v1::reservation::State as Held;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1::GetPointAccountRequest;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;

use super::Services;
use crate::load::{self, Ledger, Load};
use crate::postgres::durable_server;
use crate::shop::{self, Order, PRICE, Size};

/// What is bought when nobody is killed any more.
const AFTERWARDS: Size = Size { customers: 3, seats_each: 3, affordable: 3, spare: 0 };
const SIZE: Size = Size { customers: 20, seats_each: 20, affordable: 17, spare: 0 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_participant_is_killed_once_and_checkouts_go_on() {
    sale(Services::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_they_do_on_postgresql() {
    sale(Services::start_on(durable_server()).await).await;
}

async fn sale(mut services: Services) {
    let (concerts, customers) = (services.channel("concert").await, services.channel("customer").await);
    let orders = shop::open_apart((&concerts, &customers), SIZE).await;
    let ledger = Ledger::new(orders.clone());
    let channel = services.channel("orchestrator").await;
    let load = Load::start(&channel, &ledger);
    for service in ["concert", "customer", "payment", "token"] {
        load.answers(40).await;
        services.restart(service).await;
    }
    load.end().await;

    let accepted = ledger.accepted().clone();
    assert_eq!(accepted.len(), orders.len(), "every request was accepted");
    let mut completed = BTreeMap::new();
    for order in &orders {
        let state = load::ended(&channel, &accepted[&order.request_id]).await;
        completed.insert(order.reservation.clone(), state == State::Completed);
    }
    let sold = completed.values().filter(|completed| **completed).count();
    let affordable = SIZE.customers * SIZE.affordable;
    println!("{sold} of {} checkouts completed, there were points for {affordable}", orders.len());
    // Some are given up whose tries fell all into a restart, or into a moment in which the machine was busy.
    assert!((1..=affordable).contains(&sold), "{sold}");
    check_seats(&services, &completed).await;
    check_points(&services, &orders, &completed).await;
    let after = shop::open_apart((&concerts, &customers), AFTERWARDS).await;
    let mut client = CheckoutServiceClient::new(channel.clone());
    for order in &after {
        let checkout = client.create_checkout(order.request()).await.unwrap().into_inner().name;
        assert_eq!(load::ended(&channel, &checkout).await, State::Completed, "all are back");
    }
    let report = services.verify();
    let all = format!("over {} checkouts (0 sagas still open)", orders.len() + after.len());
    assert!(report.contains(&all), "{report}");
    services.end().await;
}

/// A seat is sold if, and only if, its checkout completed.
async fn check_seats(services: &Services, completed: &BTreeMap<String, bool>) {
    let mut client = ReservationServiceClient::new(services.channel("concert").await);
    for (name, completed) in completed {
        let request = GetReservationRequest { name: name.clone() };
        let held = client.get_reservation(request).await.unwrap().into_inner().state();
        assert_eq!(held == Held::Confirmed, *completed, "{name} is {held:?}");
        assert_ne!(held, Held::Confirming, "{name} is still locked");
    }
}

/// Everybody has paid for what he bought, and nothing is set aside.
async fn check_points(services: &Services, orders: &[Order], completed: &BTreeMap<String, bool>) {
    let mut spent = BTreeMap::<&str, i64>::new();
    for order in orders {
        *spent.entry(&order.customer).or_default() += i64::from(completed[&order.reservation]) * PRICE;
    }
    let mut client = PointServiceClient::new(services.channel("customer").await);
    for (customer, spent) in spent {
        let request = GetPointAccountRequest { name: format!("{customer}/pointAccount") };
        let account = client.get_point_account(request).await.unwrap().into_inner();
        let left = PRICE * SIZE.affordable as i64 - spent;
        assert_eq!((account.posted_balance, account.reserved_amount), (left, 0), "{customer}");
    }
}
