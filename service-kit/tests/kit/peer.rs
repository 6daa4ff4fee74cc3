//! A peer whose addresses come and go: which calls get through, what is said of those that do not, and how soon it is back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::{CreateCustomerRequest, GetCustomerRequest};
use service_kit::peer::{Addresses, Connections, Peer};
use service_kit::serve::{Health, Limits, Served, Server};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{ConnectError, Status};

/// How long anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const CONNECTIONS: Connections =
    Connections { per_address: 2, connect_timeout_ms: 300, keepalive_interval_ms: 200, keepalive_timeout_ms: 200 };

/// A customer service: `GetCustomer` counts and answers that it is not offered, `CreateCustomer` counts and keeps silent.
struct Shop {
    address: SocketAddr,
    health: Health,
    calls: Arc<AtomicUsize>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Shop {
    async fn open(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let calls = Arc::<AtomicUsize>::default();
        let (counted, kept) = (calls.clone(), calls.clone());
        let answer = async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Status::not_found("nobody of that name").into_http::<axum::body::Body>()
        };
        let keep_silent = async move || -> String {
            kept.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        };
        let grpc = Router::new()
            .route("/ticketing.customer.v1.CustomerService/GetCustomer", post(answer))
            .route("/ticketing.customer.v1.CustomerService/CreateCustomer", post(keep_silent));
        let served = Served { grpc: grpc.into(), services: vec![], http: None, descriptors: None };
        let address = listener.local_addr().unwrap();
        let server = Server::new(served, Limits { drain_ms: 1, ..Limits::default() }).await.unwrap();
        let (health, stop, tasks) = (server.health(), CancellationToken::new(), TaskTracker::new());
        tasks.spawn(server.serve(listener, stop.clone()));
        Self { address, health, calls, stop, tasks }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn close(self) -> SocketAddr {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.address
    }
}

/// What becomes of what is on a road.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Traffic {
    Flows,
    /// Connections stay, and nothing comes through any more.
    Stands,
    /// Connections end as soon as they begin.
    Ends,
}

/// A way to a shop.
struct Road {
    address: SocketAddr,
    traffic: watch::Sender<Traffic>,
}

impl Road {
    async fn to(shop: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (traffic, now) = watch::channel(Traffic::Flows);
        let tasks = TaskTracker::new();
        let travellers = tasks.clone();
        tasks.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                travellers.spawn(travel(near, shop, now.clone()));
            }
        });
        Self { address, traffic }
    }
}

async fn travel(mut near: TcpStream, shop: SocketAddr, mut traffic: watch::Receiver<Traffic>) {
    let mut now = *traffic.borrow_and_update();
    if now == Traffic::Flows {
        let mut far = TcpStream::connect(shop).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => return,
            _ = traffic.changed() => now = *traffic.borrow(),
        }
    }
    if now == Traffic::Stands {
        // The socket is there, and nobody reads it.
        std::future::pending::<()>().await;
    }
}

fn peer(addresses: &[SocketAddr]) -> Peer {
    let list: Vec<_> = addresses.iter().map(|address| format!("\"http://{address}\"")).collect();
    let addresses: Addresses = serde_json::from_str(&format!("[{}]", list.join(","))).unwrap();
    Peer::new("customer", &addresses, CONNECTIONS)
}

async fn ask(peer: &Peer) -> Status {
    let mut client = CustomerServiceClient::new(peer.clone());
    let asked = timeout(PATIENCE, client.get_customer(GetCustomerRequest::default())).await;
    asked.expect("it is answered or fails").unwrap_err()
}

fn is_answer(status: &Status) -> bool {
    status.message() == "nobody of that name"
}

/// Whether the caller can know that it was not sent.
fn never_left(status: &Status) -> bool {
    let first = std::error::Error::source(status);
    std::iter::successors(first, |error| error.source()).any(|error| error.is::<ConnectError>())
}

/// Asks until it is answered; everything before must be said not to have been sent.
async fn ask_until_answered(peer: &Peer) {
    let started = Instant::now();
    loop {
        let status = ask(peer).await;
        if is_answer(&status) {
            return;
        }
        assert!(never_left(&status), "{status:?}");
        assert!(started.elapsed() < PATIENCE, "{status:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn an_address_that_is_down_costs_no_call_anything() {
    let shop = Shop::open("127.0.0.1:0").await;
    let peer = peer(&[nobody().await, shop.address]);
    for _ in 0..200 {
        assert!(is_answer(&ask(&peer).await));
    }
    assert_eq!(shop.calls(), 200);
}

#[tokio::test]
async fn an_address_that_accepts_and_never_answers_costs_no_call_anything_either() {
    let shop = Shop::open("127.0.0.1:0").await;
    // Connections are accepted by the system and never read.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let both = peer(&[silent.local_addr().unwrap(), shop.address]);
    for _ in 0..200 {
        assert!(is_answer(&ask(&both).await));
    }
    let alone = peer(&[silent.local_addr().unwrap()]);
    let status = ask(&alone).await;
    assert!(never_left(&status) && status.message().contains("no answer within 300 ms"), "{status:?}");
}

#[tokio::test]
async fn calls_are_spread_over_all_addresses() {
    let shops = [Shop::open("127.0.0.1:0").await, Shop::open("127.0.0.1:0").await];
    let peer = peer(&[shops[0].address, shops[1].address]);
    let started = Instant::now();
    while shops.iter().any(|shop| shop.calls() < 50) {
        assert!(is_answer(&ask(&peer).await));
        assert!(started.elapsed() < PATIENCE, "{} and {}", shops[0].calls(), shops[1].calls());
    }
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_found_and_found_again_when_it_is_back() {
    let shop = Shop::open("127.0.0.1:0").await;
    let road = Road::to(shop.address).await;
    let peer = peer(&[road.address]);
    assert!(is_answer(&ask(&peer).await));
    road.traffic.send_replace(Traffic::Stands);
    // What was sent may have arrived, for all that the caller can know: once on each connection at the most.
    let mut doubts = 0;
    loop {
        let status = ask(&peer).await;
        assert!(!is_answer(&status));
        if never_left(&status) {
            break;
        }
        doubts += 1;
    }
    assert!((1..=CONNECTIONS.per_address).contains(&doubts), "{doubts}");
    road.traffic.send_replace(Traffic::Flows);
    ask_until_answered(&peer).await;
}

#[tokio::test]
async fn a_silent_connection_is_given_up_though_nobody_calls() {
    let shop = Shop::open("127.0.0.1:0").await;
    let road = Road::to(shop.address).await;
    let peer = peer(&[road.address]);
    assert!(is_answer(&ask(&peer).await));
    road.traffic.send_replace(Traffic::Stands);
    let started = Instant::now();
    while peer.problems().len() < CONNECTIONS.per_address {
        assert!(started.elapsed() < PATIENCE, "{:?}", peer.problems());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let status = ask(&peer).await;
    assert!(never_left(&status), "{status:?}");
}

#[tokio::test]
async fn a_peer_that_ends_connections_as_soon_as_they_begin_is_left_alone() {
    let shop = Shop::open("127.0.0.1:0").await;
    let road = Road::to(shop.address).await;
    road.traffic.send_replace(Traffic::Ends);
    let both = peer(&[road.address, shop.address]);
    for _ in 0..200 {
        assert!(is_answer(&ask(&both).await));
    }
    let alone = peer(&[road.address]);
    assert!(never_left(&ask(&alone).await));
    road.traffic.send_replace(Traffic::Flows);
    ask_until_answered(&alone).await;
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again_by_itself() {
    let shop = Shop::open("127.0.0.1:0").await;
    let peer = peer(&[shop.address]);
    assert!(is_answer(&ask(&peer).await));
    let address = shop.close().await;
    let status = ask(&peer).await;
    assert!(never_left(&status), "{status:?}");
    assert!(status.message().contains("no connection to customer"), "{status:?}");
    let _shop = Shop::open(&address.to_string()).await;
    ask_until_answered(&peer).await;
}

#[tokio::test]
async fn a_call_that_is_cut_on_its_way_is_in_doubt() {
    let shop = Shop::open("127.0.0.1:0").await;
    let road = Road::to(shop.address).await;
    let peer = peer(&[road.address]);
    let mut client = CustomerServiceClient::new(peer);
    let calling =
        TaskTracker::new().spawn(async move { client.create_customer(CreateCustomerRequest::default()).await });
    let started = Instant::now();
    while shop.calls() == 0 {
        assert!(started.elapsed() < PATIENCE, "it arrives");
        tokio::task::yield_now().await;
    }
    road.traffic.send_replace(Traffic::Ends);
    let status = timeout(PATIENCE, calling).await.expect("it is told in time").unwrap().unwrap_err();
    assert!(!never_left(&status), "{status:?}");
}

#[tokio::test]
async fn a_peer_that_wants_no_calls_gets_none() {
    let shop = Shop::open("127.0.0.1:0").await;
    shop.health.set(false).await;
    let peer = peer(&[shop.address]);
    let status = ask(&peer).await;
    assert!(never_left(&status) && status.message().contains("does not want calls"), "{status:?}");
    assert_eq!(shop.calls(), 0);
    shop.health.set(true).await;
    ask_until_answered(&peer).await;
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let shop = Shop::open("127.0.0.1:0").await;
    let addresses: Addresses = format!("\"http://localhost:{}\"", shop.address.port())
        .parse::<serde_json::Value>()
        .and_then(serde_json::from_value)
        .unwrap();
    assert!(is_answer(&ask(&Peer::new("customer", &addresses, CONNECTIONS)).await));
}

/// A server that answers the first call on each connection and resets all others, with that reason.
async fn resetting(reason: h2::Reason) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, connections) = (TaskTracker::new(), TaskTracker::new());
    tasks.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                let mut is_first = true;
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    if std::mem::take(&mut is_first) {
                        let unimplemented = Status::unimplemented("no health here").into_http::<()>();
                        respond.send_response(unimplemented, true).unwrap();
                    } else {
                        respond.send_reset(reason);
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn only_a_stream_that_was_refused_unseen_is_said_not_to_have_been_sent() {
    for (reason, unseen) in [(h2::Reason::REFUSED_STREAM, true), (h2::Reason::INTERNAL_ERROR, false)] {
        let status = ask(&peer(&[resetting(reason).await])).await;
        assert_eq!(never_left(&status), unseen, "{reason}: {status:?}");
    }
}
