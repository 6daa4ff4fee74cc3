//! Three orchestrators over one PostgreSQL server and four participants, under load, while everything that can fail fails
//! once: replicas killed and stopped, participants killed, the database shut down and started again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use orchestrator::journal::LEASE;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{CreateCheckoutRequest, GetCheckoutRequest, WatchSagaRequest};
use service_kit::wire::duration;
use testbed::postgres::{Server, Stop};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;
use tonic::transport::Channel;

use super::Services;
use crate::postgres::durable_server;
use crate::process::Skald;
use crate::shop::{self, Order, Size};

const SIZE: Size = Size { customers: 30, seats_each: 20, affordable: 16, spare: 0 };
/// Checkouts whose take-over is measured.
const MEASURED: usize = 12;
/// Customers at a time.
const CUSTOMERS: usize = 24;
/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What a customer does between two purchases, so that the sale lasts as long as the failures.
const BREATH: Duration = Duration::from_millis(100);

/// A sale that goes on whatever fails: whoever gets no answer asks another replica.
struct Rush {
    customers: JoinSet<()>,
    state: Arc<Mutex<Sale>>,
    answered: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Sale {
    waiting: VecDeque<Order>,
    accepted: BTreeMap<String, String>,
}

impl Rush {
    fn start(orders: Vec<Order>, replicas: &[Channel]) -> Self {
        let state = Arc::new(Mutex::new(Sale { waiting: orders.into(), ..Sale::default() }));
        let (mut customers, answered) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for number in 0..CUSTOMERS {
            let (state, answered, replicas) = (state.clone(), answered.clone(), replicas.to_vec());
            customers.spawn(async move {
                let mut turn = number;
                loop {
                    let next = state.lock().unwrap().waiting.pop_front();
                    let Some(order) = next else { return };
                    let checkout = insist(&order, &replicas, &mut turn).await;
                    let before = state.lock().unwrap().accepted.insert(order.request_id.clone(), checkout.clone());
                    assert!(before.is_none_or(|before| before == checkout), "{order:?} is another checkout now");
                    answered.fetch_add(1, Ordering::SeqCst);
                    sleep(BREATH).await;
                }
            });
        }
        Self { customers, state, answered }
    }

    /// Waits until so many more requests have been answered.
    async fn answers(&self, more: usize) {
        let wanted = self.answered.load(Ordering::SeqCst) + more;
        let until = Instant::now() + PATIENCE;
        while self.answered.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < until, "checkouts are no longer accepted");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until everything is bought; the checkout of each request.
    async fn end(self) -> BTreeMap<String, String> {
        self.customers.join_all().await;
        std::mem::take(&mut self.state.lock().unwrap().accepted)
    }
}

/// Asks one replica after the other until one accepts.
async fn insist(order: &Order, replicas: &[Channel], turn: &mut usize) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let mut client = CheckoutServiceClient::new(replicas[*turn % replicas.len()].clone());
        // A replica that is stopped never answers.
        match timeout(Duration::from_secs(5), client.create_checkout(order.request())).await {
            Ok(Ok(checkout)) => return checkout.into_inner().name,
            Ok(Err(status)) => {
                let expected = [
                    Code::Unavailable,
                    Code::Unknown,
                    Code::Cancelled,
                    Code::Internal,
                    Code::Aborted,
                    Code::ResourceExhausted,
                    Code::DeadlineExceeded,
                ];
                assert!(expected.contains(&status.code()), "{status:?}");
            }
            Err(_) => {}
        }
        assert!(Instant::now() < until, "nobody accepts {order:?}");
        *turn += 1;
        sleep(Duration::from_millis(20)).await;
    }
}

/// Places checkouts through one replica that cannot end, as the payment service does not answer meanwhile.
async fn hang(replica: &Channel, orders: &[Order]) -> Vec<String> {
    let mut client = CheckoutServiceClient::new(replica.clone());
    let mut names = Vec::new();
    for order in orders {
        let request = CreateCheckoutRequest { wait: Some(duration(0)), ..order.request() };
        names.push(client.create_checkout(request).await.unwrap().into_inner().name);
    }
    names
}

/// Who owns these checkouts, in their order.
fn owners(server: &Server, checkouts: &[String]) -> Vec<String> {
    let ids: Vec<_> = checkouts.iter().map(|name| format!("'{}'", name.trim_start_matches("checkouts/"))).collect();
    let sql =
        format!("select id, owner from orchestrator.orchestrator_saga where id in ({}) order by id", ids.join(","));
    server.execute(&sql).unwrap().lines().map(str::to_owned).collect()
}

/// How long after `since` each of these checkouts has another owner.
async fn taken_over(server: &Server, before: &[String], checkouts: &[String], since: Instant) -> Duration {
    loop {
        let now = owners(server, checkouts);
        if before.iter().zip(&now).all(|(before, now)| before != now) {
            return since.elapsed();
        }
        assert!(since.elapsed() < PATIENCE, "nobody takes over");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_fails_once_and_no_checkout_is_lost() {
    let mut services = Services::start_on(durable_server()).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(services.start_one("orchestrator", "127.0.0.1:0").await);
    }
    let replicas = [services.channel("orchestrator").await, others[0].channel().await, others[1].channel().await];
    let (concerts, customers) = (services.channel("concert").await, services.channel("customer").await);
    let mut orders = shop::open_apart((&concerts, &customers), SIZE).await;
    let measured = orders.split_off(orders.len() - 2 * MEASURED);
    let (first, second) = measured.split_at(MEASURED);
    let rush = Rush::start(orders, &replicas);
    rush.answers(40).await;

    let killed = one_is_killed(&services, &mut others[0], &replicas[1], first).await;
    rush.answers(40).await;
    let stopped = one_is_stopped(&services, &others[1], &replicas[2], second).await;
    rush.answers(40).await;
    let listen = others[0].address.trim_start_matches("http://").to_owned();
    others[0] = services.start_one("orchestrator", &listen).await;
    for service in ["concert", "customer", "payment", "token"] {
        services.restart(service).await;
        rush.answers(30).await;
    }
    let server = services.server.as_ref().unwrap();
    server.stop(Stop::Fast).unwrap();
    sleep(Duration::from_secs(1)).await;
    server.restart().unwrap();
    rush.answers(40).await;

    let mut accepted = rush.end().await;
    accepted.extend(killed.checkouts.into_iter().chain(stopped.checkouts).map(|name| (name.clone(), name)));
    let mut completed = 0;
    for checkout in accepted.values() {
        completed += usize::from(settled(&replicas[0], checkout).await == State::Completed);
    }
    println!(
        "{completed} of {} checkouts completed; taken over {:?} after a kill and {:?} after a stop, the lease is {LEASE:?}",
        accepted.len(),
        killed.after,
        stopped.after
    );
    assert!(completed > 0, "nobody could buy anything");
    let report = services.verify();
    let all = format!("over {} checkouts (0 sagas still open)", accepted.len());
    assert!(report.contains(&all), "{report}");
    let most = LEASE + Duration::from_secs(1);
    assert!(killed.after <= most && stopped.after <= most, "{:?}, {:?}", killed.after, stopped.after);
    for orchestrator in others {
        assert_eq!(orchestrator.terminate().await.0, Some(0));
    }
    services.end().await;
}

/// What was under way at a replica that failed, and how long it waited for another one.
struct TakenOver {
    checkouts: Vec<String>,
    after: Duration,
}

/// `kill -9` of a replica with checkouts under way.
async fn one_is_killed(services: &Services, one: &mut Skald, at: &Channel, orders: &[Order]) -> TakenOver {
    let server = services.server.as_ref().unwrap();
    services.at("payment").signal("STOP");
    let checkouts = hang(at, orders).await;
    let before = owners(server, &checkouts);
    let since = Instant::now();
    one.kill_now();
    let after = taken_over(server, &before, &checkouts, since).await;
    services.at("payment").signal("CONT");
    TakenOver { checkouts, after }
}

/// A replica that does nothing for longer than its lease, and then goes on as if nothing had happened. Whoever follows one
/// of its checkouts at another replica sees it end.
async fn one_is_stopped(services: &Services, one: &Skald, at: &Channel, orders: &[Order]) -> TakenOver {
    let server = services.server.as_ref().unwrap();
    services.at("payment").signal("STOP");
    let checkouts = hang(at, orders).await;
    let before = owners(server, &checkouts);
    let name = checkouts[0].replace("checkouts/", "sagas/");
    let mut elsewhere = SagaServiceClient::new(services.channel("orchestrator").await);
    let mut watched = elsewhere.watch_saga(WatchSagaRequest { name }).await.unwrap().into_inner();
    let since = Instant::now();
    one.signal("STOP");
    let after = taken_over(server, &before, &checkouts, since).await;
    services.at("payment").signal("CONT");
    let rest = (LEASE + Duration::from_secs(2)).saturating_sub(since.elapsed());
    sleep(rest).await;
    one.signal("CONT");
    while timeout(PATIENCE, watched.message()).await.expect("it ends in time").unwrap().is_some() {}
    TakenOver { checkouts, after }
}

/// Waits until the checkout has ended; tells how.
async fn settled(channel: &Channel, name: &str) -> State {
    let until = Instant::now() + PATIENCE;
    loop {
        let request = GetCheckoutRequest { name: name.to_owned() };
        match CheckoutServiceClient::new(channel.clone()).get_checkout(request).await {
            Ok(checkout) => {
                let state = checkout.into_inner().state();
                if matches!(state, State::Completed | State::Failed) {
                    return state;
                }
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        assert!(Instant::now() < until, "{name} does not end");
        sleep(Duration::from_millis(20)).await;
    }
}
