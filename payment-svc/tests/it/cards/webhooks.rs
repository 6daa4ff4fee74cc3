//! What the processor says by itself is a hint to ask, and nothing more.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use outside::processor::{Faults, SIGNATURE};
use service_kit::hmac;
use service_kit::http::{Client, Request};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Cards, SECRET, both, pending};

impl Cards {
    /// Serves the pages and gives their address; they end with the test's runtime.
    async fn serve(&self, all: &mut tokio::task::JoinSet<()>) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pages = self.pages.clone();
        all.spawn(async move { axum::serve(listener, pages).await.unwrap() });
        format!("http://{address}/processor/webhooks")
    }
}

async fn post(url: &str, body: &str, signature: Option<String>) -> StatusCode {
    let mut request = Request::post_json("", &());
    request.body = body.to_owned().into();
    if let Some(signature) = signature {
        let value = HeaderValue::from_str(&signature).unwrap();
        request.headers.push((HeaderName::from_static(SIGNATURE), value));
    }
    Client::new(url).unwrap().send(request, Duration::from_secs(10)).await.unwrap().status
}

async fn signed(url: &str, body: &str) -> StatusCode {
    post(url, body, Some(hmac::signature(SECRET.as_bytes(), body.as_bytes()))).await
}

#[tokio::test]
async fn a_hint_makes_us_ask_at_once() {
    let mut cards = Cards::hurried().await;
    let mut servers = tokio::task::JoinSet::new();
    let url = cards.serve(&mut servers).await;
    cards.misbehave(Faults { lose_reply: 1000, ..Faults::default() });
    pending(cards.charge(1, "tok_1").await);
    while cards.standing(1).await.1 != "Authorized" {
        tokio::task::yield_now().await;
    }
    cards.behave();
    cards.processor.send_webhooks(&url, SECRET).unwrap();
    let body = format!(r#"{{"payment":"{}","event":"payment.declined"}}"#, Uuid::from_u128(1));
    for _ in 0..3 {
        assert_eq!(signed(&url, &body).await, StatusCode::NO_CONTENT);
    }
    while cards.standing(1).await.0 == "PENDING" {
        tokio::task::yield_now().await;
    }
    assert_eq!(cards.standing(1).await, both("AUTHORIZED", "Authorized"), "what it says is not taken for true");
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn hints_that_are_late_or_about_nothing_change_nothing() {
    let mut cards = Cards::new().await;
    let mut servers = tokio::task::JoinSet::new();
    let url = cards.serve(&mut servers).await;
    cards.processor.send_webhooks(&url, SECRET).unwrap();
    cards.misbehave(Faults { webhook_twice: 1000, webhook_delay_ms: 20, ..Faults::default() });
    cards.charge(1, "tok_1").await.unwrap();
    cards.capture(1).await.unwrap();
    cards.processor.settle().await;
    let unknown = format!(r#"{{"payment":"{}"}}"#, Uuid::from_u128(9));
    for body in [unknown.as_str(), "", "{}", "[1]", r#"{"payment":"x"}"#] {
        assert_eq!(signed(&url, body).await, StatusCode::NO_CONTENT, "{body}");
    }
    assert_eq!(cards.standing(1).await, both("CAPTURED", "Captured"));
    cards.service.expect_sound().await;
}

#[tokio::test]
async fn a_hint_that_is_not_signed_is_turned_away() {
    let cards = Cards::new().await;
    let mut servers = tokio::task::JoinSet::new();
    let url = cards.serve(&mut servers).await;
    let body = format!(r#"{{"payment":"{}"}}"#, Uuid::from_u128(1));
    let wrong = [None, Some(String::new()), Some(hmac::signature(b"guessed", body.as_bytes()))];
    for signature in wrong {
        assert_eq!(post(&url, &body, signature).await, StatusCode::UNAUTHORIZED);
    }
    let long = "x".repeat(5_000);
    assert_eq!(signed(&url, &long).await, StatusCode::PAYLOAD_TOO_LARGE);
}
