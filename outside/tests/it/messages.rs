//! The provider of messages and the data platform as their callers meet them: what is promised, and how it goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use outside::listen::Listening;
use outside::messenger::{self, Message, Messenger, NO_ALIMTALK};
use outside::mood::Mood;
use outside::platform::{self, Platform};
use serde_json::{Value, json};
use service_kit::clock::ManualClock;
use service_kit::http::{Client, Error, Request};

const PATIENCE: Duration = Duration::from_secs(10);

fn message(id: &str) -> Message {
    Message {
        message_id: id.into(),
        channel: "ALIMTALK".into(),
        template_code: "CHECKOUT_COMPLETED".into(),
        variables: BTreeMap::from([("amount".to_owned(), "300".to_owned())]),
        phone_number: "+821012345678".into(),
        expire_time_ms: 100_000,
    }
}

/// A provider, its clock, and a client.
struct Stage {
    clock: Arc<ManualClock>,
    provider: Messenger,
    client: Client,
    _listening: Listening,
}

impl Stage {
    async fn new(behaviour: messenger::Behaviour) -> Self {
        let clock = Arc::new(ManualClock::at(1_000));
        let provider = Messenger::new(behaviour, 7, clock.clone());
        let listening = provider.listen("127.0.0.1:0").await.unwrap();
        let client = Client::new(&listening.url()).unwrap();
        Self { clock, provider, client, _listening: listening }
    }

    async fn send(&self, message: &Message) -> Result<(u16, Value), Error> {
        read(&self.client, Request::post_json("/v1/messages", message)).await
    }

    async fn result(&self, id: &str) -> (u16, Value) {
        read(&self.client, Request::get(format!("/v1/messages/{id}"))).await.unwrap()
    }
}

async fn read(client: &Client, request: Request) -> Result<(u16, Value), Error> {
    let reply = client.send(request, PATIENCE).await?;
    Ok((reply.status.as_u16(), serde_json::from_slice(&reply.body).unwrap_or_default()))
}

fn code(answer: (u16, Value)) -> (u16, String) {
    (answer.0, answer.1["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_message_is_accepted_first_and_arrives_later() {
    let stage = Stage::new(messenger::Behaviour { settle_ms: 500, ..Default::default() }).await;
    assert_eq!(stage.send(&message("m")).await.unwrap().0, 202);
    assert_eq!((stage.result("m").await.1["status"].clone(), stage.provider.books().under_way), (json!("PENDING"), 1));
    stage.clock.advance(500);
    assert_eq!(stage.result("m").await.1["status"], "DELIVERED");
    assert_eq!(stage.provider.books().delivered, [message("m")]);
    assert_eq!(code(stage.result("other").await), (404, "UNKNOWN_MESSAGE_ID".into()));
}

#[tokio::test]
async fn an_id_is_taken_once_whatever_became_of_the_reply() {
    let lossy = Mood { lost_percent: 100, ..Mood::default() };
    let stage = Stage::new(messenger::Behaviour { mood: lossy, ..Default::default() }).await;
    assert!(matches!(stage.send(&message("m")).await, Err(Error::InDoubt(..))));
    stage.provider.set(messenger::Behaviour::default());
    assert_eq!(code(stage.send(&message("m")).await.unwrap()), (409, "DUPLICATE_MESSAGE_ID".into()));
    let books = stage.provider.books();
    assert_eq!((books.delivered.len(), books.repeats_refused), (1, 1));
}

#[tokio::test]
async fn what_has_no_alimtalk_fails_later_and_gets_an_sms() {
    let stage = Stage::new(messenger::Behaviour::default()).await;
    let phone_number = format!("+82101234{NO_ALIMTALK}");
    let talk = Message { phone_number, ..message("talk") };
    let sms = Message { channel: "SMS".into(), message_id: "sms".into(), ..talk.clone() };
    for message in [&talk, &sms] {
        assert_eq!(stage.send(message).await.unwrap().0, 202);
    }
    assert_eq!(code(stage.result("talk").await), (200, "NOT_A_KAKAOTALK_USER".into()));
    let books = stage.provider.books();
    assert_eq!((books.delivered, books.failed), (vec![sms], vec![talk]));
}

#[tokio::test]
async fn a_message_that_cannot_be_is_refused() {
    let stage = Stage::new(messenger::Behaviour::default()).await;
    for (wrong, expected) in [
        (Message { message_id: "x".repeat(41), ..message("") }, "INVALID_MESSAGE_ID"),
        (Message { channel: "FAX".into(), ..message("m") }, "INVALID_CHANNEL"),
        (Message { phone_number: "010".into(), ..message("m") }, "INVALID_PHONE_NUMBER"),
        (Message { expire_time_ms: 1_000, ..message("m") }, "EXPIRED"),
    ] {
        assert_eq!(code(stage.send(&wrong).await.unwrap()), (400, expected.into()));
    }
    assert_eq!(stage.provider.books(), messenger::Books::default());
}

#[tokio::test]
async fn too_many_at_once_are_turned_away_for_a_second() {
    let stage = Stage::new(messenger::Behaviour { per_second: 2, ..Default::default() }).await;
    let mut seen = Vec::new();
    for id in ["a", "b", "c"] {
        seen.push(stage.send(&message(id)).await.unwrap().0);
    }
    assert_eq!((seen, stage.provider.books().turned_away), (vec![202, 202, 429], 1));
    stage.clock.advance(1_000);
    assert_eq!(stage.send(&message("c")).await.unwrap().0, 202);
}

#[tokio::test]
async fn one_in_ten_fails_and_nothing_comes_of_a_request_that_is_turned_away() {
    let mood = Mood { error_percent: 10, ..Mood::default() };
    let stage = Stage::new(messenger::Behaviour { mood, failure_percent: 10, ..Default::default() }).await;
    let mut turned_away = 0;
    for number in 0..200 {
        turned_away += usize::from(stage.send(&message(&format!("m{number}"))).await.unwrap().0 == 500);
    }
    let books = stage.provider.books();
    assert!((5..50).contains(&turned_away) && (5..50).contains(&books.failed.len()), "{turned_away} {books:?}");
    assert_eq!(books.delivered.len() + books.failed.len(), 200 - turned_away);
}

#[tokio::test]
async fn the_platform_keeps_an_event_once_however_often_it_comes() {
    let platform = Platform::new(platform::Behaviour::default(), 7);
    let listening = platform.listen("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listening.url()).unwrap();
    let event = |id: &str| json!({ "source": "/ticketing/payment", "id": id, "type": "a.b.v1" });
    let post = async |batch: Vec<Value>| read(&client, Request::post_json("/v1/events", &batch)).await;
    assert_eq!(post(vec![event("1"), event("2")]).await.unwrap().0, 200);
    platform.set(platform::Behaviour { mood: Mood { lost_percent: 100, ..Mood::default() }, ..Default::default() });
    assert!(post(vec![event("2")]).await.is_err());
    platform.set(platform::Behaviour { mood: Mood { down: true, ..Mood::default() }, ..Default::default() });
    assert!(post(vec![event("3")]).await.is_err());
    platform.set(platform::Behaviour { refused_type: "a.b.v1".into(), ..Default::default() });
    assert_eq!(post(vec![event("4")]).await.unwrap().0, 422);
    let books = platform.books();
    assert_eq!(books.events.values().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!((books.batches, books.largest_batch, books.refused), (2, 2, 1));
    assert_eq!(read(&client, Request::get("/books")).await.unwrap().1["repeats"], 1);
}
