//! One server on a real port: what a client finds there, what it is refused, and how the server ends.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::customer::v1::{CreateCustomerRequest, GetCustomerRequest, GetPointAccountRequest};
use service_kit::refusal::{self, SagaOutcome};
use service_kit::serve::{self, Health, Limits, Served, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

const CUSTOMERS: &str = "ticketing.customer.v1.CustomerService";

/// A server that runs, and what is needed to ask and to end it.
struct Running {
    address: SocketAddr,
    channel: Channel,
    health: Health,
    stop: CancellationToken,
    ended: JoinHandle<Result<(), serve::Error>>,
}

/// Serves a customer service with one method that panics, one that waits for ever and nothing else, beside some pages.
async fn start(limits: Limits) -> Running {
    let method = |name: &str| format!("/{CUSTOMERS}/{name}");
    let grpc = Router::new()
        .route(&method("CreateCustomer"), post(async || -> String { panic!("a bug") }))
        .route(&method("GetCustomer"), post(async || -> String { std::future::pending().await }));
    let pages = Router::new()
        .route("/", get(async || "the page"))
        .route("/broken", get(async || -> String { panic!("a bug") }));
    let served = Served {
        grpc: grpc.into(),
        services: vec![CUSTOMERS],
        http: Some(pages),
        descriptors: Some(proto::FILE_DESCRIPTOR_SET),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(served, limits).await.unwrap();
    let health = server.health();
    let stop = CancellationToken::new();
    let ended = tokio_util::task::TaskTracker::new().spawn(server.serve(listener, stop.clone()));
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    Running { address, channel: channel.connect().await.unwrap(), health, stop, ended }
}

impl Running {
    async fn health_of(&self, service: &str) -> Result<ServingStatus, Code> {
        let request = HealthCheckRequest { service: service.into() };
        let answer = HealthClient::new(self.channel.clone()).check(request).await;
        answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
    }

    async fn http(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{request}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn customers(&self) -> CustomerServiceClient<Channel> {
        CustomerServiceClient::new(self.channel.clone())
    }
}

#[tokio::test]
async fn health_follows_its_handle_for_the_process_and_each_service() {
    let running = start(Limits::default()).await;
    for service in ["", CUSTOMERS] {
        assert_eq!(running.health_of(service).await, Ok(ServingStatus::Serving));
    }
    assert_eq!(running.health_of("nobody").await, Err(Code::NotFound));
    running.health.set(false).await;
    for service in ["", CUSTOMERS] {
        assert_eq!(running.health_of(service).await, Ok(ServingStatus::NotServing));
    }
}

#[tokio::test]
async fn reflection_lists_what_is_served_in_both_versions() {
    let running = start(Limits::default()).await;
    let expected = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", CUSTOMERS];
    macro_rules! listed {
        ($version:ident) => {{
            use $version::server_reflection_request::MessageRequest;
            use $version::server_reflection_response::MessageResponse;
            let ask = $version::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::ListServices(String::new())),
            };
            let client = $version::server_reflection_client::ServerReflectionClient::new;
            let answers = client(running.channel.clone()).server_reflection_info(tokio_stream::once(ask)).await;
            let answer = answers.unwrap().into_inner().next().await.unwrap().unwrap();
            let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
                panic!("no list: {answer:?}");
            };
            let mut names: Vec<String> = list.service.into_iter().map(|one| one.name).collect();
            names.sort();
            names
        }};
    }
    assert_eq!(listed!(v1), expected);
    assert_eq!(listed!(v1alpha), expected);
}

#[tokio::test]
async fn a_service_that_is_not_served_is_unimplemented() {
    let running = start(Limits::default()).await;
    let mut points = PointServiceClient::new(running.channel.clone());
    let status = points.get_point_account(GetPointAccountRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("PointService/GetPointAccount"));
}

#[tokio::test]
async fn browsers_get_pages_and_404_on_the_same_port() {
    let running = start(Limits::default()).await;
    let page = running.http("GET / HTTP/1.1").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.ends_with("the page"), "{page}");
    let none = running.http("GET /none HTTP/1.1").await;
    assert!(none.starts_with("HTTP/1.1 404"), "{none}");
    let web =
        "POST /grpc.health.v1.Health/Check HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 0";
    let web = running.http(web).await;
    assert!(web.starts_with("HTTP/1.1 200"), "{web}");
    assert!(web.contains("content-type: application/grpc-web+proto"), "{web}");
}

#[tokio::test]
async fn a_panic_ends_its_own_call_alone() {
    let running = start(Limits::default()).await;
    let status = running.customers().create_customer(CreateCustomerRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("a bug"));
    let page = running.http("GET /broken HTTP/1.1").await;
    assert!(page.starts_with("HTTP/1.1 500"), "{page}");
    assert_eq!(running.health_of("").await, Ok(ServingStatus::Serving));
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_shed_as_not_applied_and_health_still_answers() {
    let running = start(Limits { calls: 0, ..Limits::default() }).await;
    let status = running.customers().create_customer(CreateCustomerRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(refusal::reason(&status).as_deref(), Some("OVERLOADED"));
    assert_eq!(SagaOutcome::of(&status), Some(SagaOutcome::NotApplied));
    let page = running.http("GET / HTTP/1.1").await;
    assert!(page.starts_with("HTTP/1.1 503"), "{page}");
    assert_eq!(running.health_of("").await, Ok(ServingStatus::Serving));
}

#[tokio::test]
async fn a_call_is_cut_at_the_request_timeout_and_a_stream_is_not() {
    let running = start(Limits { request_timeout_ms: 50, ..Limits::default() }).await;
    let status = running.customers().get_customer(GetCustomerRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    let mut client = HealthClient::new(running.channel.clone());
    let mut watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert!(watched.next().await.unwrap().is_ok());
    let nothing_more = tokio::time::timeout(Duration::from_millis(200), watched.next()).await;
    assert!(nothing_more.is_err());
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused() {
    let running = start(Limits::default()).await;
    let service = "x".repeat(serve::MAX_MESSAGE_BYTES + 1);
    assert_eq!(running.health_of(&service).await, Err(Code::OutOfRange));
}

#[tokio::test]
async fn stopping_ends_streams_says_not_serving_first_and_takes_no_more_connections() {
    let running = start(Limits::default()).await;
    let mut client = HealthClient::new(running.channel.clone());
    let mut watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    running.stop.cancel();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watched.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    running.ended.await.unwrap().unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn stopping_waits_for_calls_but_not_longer_than_the_drain_time() {
    let running = start(Limits { drain_ms: 300, ..Limits::default() }).await;
    let mut customers = running.customers();
    let mut short = Request::new(GetCustomerRequest::default());
    short.set_timeout(Duration::from_millis(150));
    let never = customers.clone();
    let open = async move { never.clone().get_customer(GetCustomerRequest::default()).await };
    let open = tokio_util::task::TaskTracker::new().spawn(open);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        running.stop.cancel();
        running.ended.await.unwrap().unwrap();
    };
    let (cut, ()) = tokio::join!(customers.get_customer(short), ending);
    assert_eq!(cut.unwrap_err().code(), Code::Cancelled);
    assert!(!open.is_finished());
}
