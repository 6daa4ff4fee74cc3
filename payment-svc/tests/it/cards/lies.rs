//! A processor that answers what cannot be, or what nobody can read. Nothing is made of it, and one goes on asking.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use payment_svc::Config;
use service_kit::clock::ManualClock;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{charge, pending};
use crate::harness::{Service, step};

type Said = Arc<Mutex<(StatusCode, String)>>;

/// A service whose processor says the same to everything.
async fn service(said: &Said, servers: &mut JoinSet<()>) -> Service {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let processor = format!("http://{}", listener.local_addr().unwrap());
    let said = said.clone();
    let answer = move || {
        let (status, body) = said.lock().unwrap().clone();
        async move { (status, HeaderMap::from_iter([(header::CONNECTION, "close".parse().unwrap())]), body).into_response() }
    };
    servers.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await.unwrap() });
    let clock = Arc::new(ManualClock::at(1_000));
    let config = Config { processor, processor_patience_ms: 60_000, ..Config::default() };
    Service::with(testbed::db(clock.clone()).await, clock, config).await.0
}

fn payment(id: u128, state: &str, amount: i64) -> (StatusCode, String) {
    let id = Uuid::from_u128(id);
    (
        StatusCode::OK,
        format!(r#"{{"id":"{id}","state":"{state}","amount":{amount},"reference":"pr\u0000_1","code":""}}"#),
    )
}

#[tokio::test]
async fn what_cannot_be_is_not_taken_for_an_answer() {
    let said = Said::new(Mutex::new((StatusCode::OK, String::new())));
    let mut servers = JoinSet::new();
    let mut service = service(&said, &mut servers).await;
    let cases = [
        ((StatusCode::OK, "{}".to_owned()), "PROCESSOR_UNAVAILABLE"),
        ((StatusCode::OK, "<html>".to_owned()), "PROCESSOR_UNAVAILABLE"),
        ((StatusCode::OK, "x".repeat(2 << 20)), "PROCESSOR_UNAVAILABLE"),
        ((StatusCode::BAD_REQUEST, String::new()), "PROCESSOR_CONTRADICTION"),
        ((StatusCode::FOUND, String::new()), "PROCESSOR_UNAVAILABLE"),
        ((StatusCode::PAYMENT_REQUIRED, r#"{"code":"x"}"#.to_owned()), "PROCESSOR_CONTRADICTION"),
        ((StatusCode::TOO_MANY_REQUESTS, String::new()), "PROCESSOR_UNAVAILABLE"),
        (payment(2, "AUTHORIZED", 300), "PROCESSOR_CONTRADICTION"),
        (payment(1, "AUTHORIZED", 299), "PROCESSOR_CONTRADICTION"),
        (payment(1, "SETTLED", 300), "PROCESSOR_UNAVAILABLE"),
        (payment(1, "CAPTURED", 300), "PROCESSOR_CONTRADICTION"),
    ];
    for (answer, reason) in cases {
        let shown = format!("{:.80?}", answer);
        *said.lock().unwrap() = answer;
        service.clock.advance(60_000);
        let asked = service.payments.authorize_payment(step("authorize-payment", charge(1, "tok_1"))).await;
        assert_eq!(pending(asked), reason, "{shown}");
        assert_eq!(service.payment(1).await.0, "PENDING", "{shown}");
        service.expect_sound().await;
    }
    *said.lock().unwrap() = payment(1, "AUTHORIZED", 300);
    service.clock.advance(60_000);
    let asked = service.payments.authorize_payment(step("authorize-payment", charge(1, "tok_1"))).await;
    let held = asked.unwrap().into_inner().payment.unwrap();
    assert_eq!(held.processor_reference, "pr?_1", "what it says is stored as plain text");

    *said.lock().unwrap() = payment(1, "AUTHORIZED", 300);
    pending(service.capture(1).await);
    assert_eq!(service.payment(1).await.0, "AUTHORIZED", "a capture that is not done is none");
    pending(service.cancel(1).await);
    service.clock.advance(60_000);
    pending(service.cancel(1).await);
    assert_eq!(service.payment(1).await.0, "AUTHORIZED", "nor is a void");
    service.expect_sound().await;
}
