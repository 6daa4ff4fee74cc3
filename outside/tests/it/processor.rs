//! The processor as its merchants see it: over HTTP, well-behaved and not.

use std::time::Duration;

use http::StatusCode;
use outside::processor::{Arguments, Faults, Processor, State};
use serde_json::{Value, json};
use service_kit::http::{Client, Error, Reply, Request};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn start() -> (Processor, Client) {
    let processor = Processor::start(Arguments::loopback(1)).await.unwrap();
    let client = Client::new(&processor.url()).unwrap();
    (processor, client)
}

async fn post(client: &Client, path: &str, body: Value) -> Result<Reply, Error> {
    client.send(Request::post_json(path, &body), TIMEOUT).await
}

async fn authorize(client: &Client, id: &str, token: &str) -> Result<Reply, Error> {
    post(client, "/payments", json!({ "id": id, "amount": 300, "token": token })).await
}

fn state(reply: &Reply) -> String {
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    body["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_payment_is_held_taken_and_given_back() {
    let (processor, client) = start().await;
    assert_eq!(state(&authorize(&client, "a", "tok_1").await.unwrap()), "AUTHORIZED");
    assert_eq!(state(&post(&client, "/payments/a/capture", json!({})).await.unwrap()), "CAPTURED");
    post(&client, "/payments/a/refunds", json!({ "id": "r", "amount": 100 })).await.unwrap();
    let found = client.send(Request::get("/payments/a"), TIMEOUT).await.unwrap();
    assert_eq!(state(&found), "CAPTURED");
    let payment = &processor.books()["a"];
    assert_eq!((payment.captured, payment.refunded), (300, 100));
    let unknown = client.send(Request::get("/payments/b"), TIMEOUT).await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_says_what_its_bank_will_say() {
    let (_processor, client) = start().await;
    let reply = authorize(&client, "a", "tok_decline_lost_card").await.unwrap();
    assert!(reply.status == StatusCode::OK && state(&reply) == "DECLINED");
    authorize(&client, "b", "tok_capture_expired").await.unwrap();
    let reply = post(&client, "/payments/b/capture", json!({})).await.unwrap();
    assert_eq!(reply.status, StatusCode::PAYMENT_REQUIRED);
}

#[tokio::test]
async fn a_lost_reply_has_acted_and_a_lost_request_has_not() {
    let (processor, client) = start().await;
    processor.set(Faults { lose_reply: 1000, ..Faults::default() });
    assert!(matches!(authorize(&client, "a", "tok_1").await, Err(Error::InDoubt(..))));
    assert_eq!(processor.books()["a"].state, State::Authorized);
    processor.set(Faults { reset: true, ..Faults::default() });
    assert!(matches!(authorize(&client, "b", "tok_1").await, Err(Error::InDoubt(..))));
    processor.set(Faults { down: true, ..Faults::default() });
    assert_eq!(authorize(&client, "b", "tok_1").await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(processor.books().len(), 1);
}

#[tokio::test]
async fn a_request_that_arrives_twice_acts_once() {
    let (processor, client) = start().await;
    processor.set(Faults { twice: 1000, delay_ms: 5, ..Faults::default() });
    authorize(&client, "a", "tok_1").await.unwrap();
    post(&client, "/payments/a/void", json!({})).await.unwrap();
    processor.settle().await;
    assert_eq!(processor.books()["a"].state, State::Voided);
}

#[tokio::test]
async fn it_is_told_over_http_how_to_misbehave() {
    let (_processor, client) = start().await;
    let faults = json!({ "decline": 1000 });
    let request = Request { method: http::Method::PUT, ..Request::post_json("/admin/faults", &faults) };
    assert_eq!(client.send(request, TIMEOUT).await.unwrap().status, StatusCode::NO_CONTENT);
    assert_eq!(state(&authorize(&client, "a", "tok_1").await.unwrap()), "DECLINED");
    let books = client.send(Request::get("/admin/books"), TIMEOUT).await.unwrap();
    let books: Value = serde_json::from_slice(&books.body).unwrap();
    assert_eq!(books[0]["code"], "insufficient_funds");
}
