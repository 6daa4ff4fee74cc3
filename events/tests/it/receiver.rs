//! Events that come in by HTTP, and those that never leave the process: the handlers see no difference.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use events::binary::Binding;
use events::{CloudEvent, Handler, Local, Receipt, Sink as _, json, receiver, signature};
use http::{HeaderName, HeaderValue, Method};
use service_kit::http::{Client, Request};

use crate::given::{Notebook, completed};

const SECRET: &str = "between us";

/// A receiver on a port of its own, which ends with the test.
async fn listen(handlers: [Arc<Notebook>; 2], secret: &str) -> Client {
    let handlers = handlers.map(|handler| handler as Arc<dyn Handler>);
    let routes = receiver::routes(handlers, secret);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, routes).await });
    Client::new(&format!("http://{address}")).unwrap()
}

async fn post(client: &Client, headers: &[(String, String)], body: impl Into<Bytes>) -> (u16, String) {
    let header = |(name, value): &(String, String)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
    let headers: Vec<(HeaderName, HeaderValue)> = headers.iter().map(header).collect();
    let request = Request { method: Method::POST, path: receiver::PATH.into(), headers, body: body.into() };
    let reply = client.send(request, Duration::from_secs(60)).await.unwrap();
    (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
}

fn structured() -> Vec<(String, String)> {
    vec![("content-type".into(), format!("{}; charset=utf-8", json::MEDIA_TYPE))]
}

#[tokio::test]
async fn both_modes_reach_the_handlers_that_want_them() {
    let (notices, rooms) = (Notebook::of("notices", "ticketing.checkout."), Notebook::of("rooms", "ticketing.room"));
    let client = listen([notices.clone(), rooms.clone()], "").await;
    let event = CloudEvent::of("/ticketing/orchestrator", &completed());
    assert_eq!(post(&client, &structured(), json::encode(&event)).await, (204, String::new()));
    assert_eq!(post(&client, &Binding::Http.headers(&event), event.data.clone()).await, (204, String::new()));
    assert_eq!(notices.taken(), [event.clone(), event]);
    assert!(rooms.taken().is_empty());
}

#[tokio::test]
async fn the_sender_learns_whether_to_come_again() {
    let (first, second) = (Notebook::of("first", ""), Notebook::of("second", ""));
    let client = listen([first.clone(), second.clone()], "").await;
    let event = CloudEvent::of("/ticketing/orchestrator", &completed());
    for (receipt, status) in [
        (Receipt::Failed("locked".into()), 500),
        (Receipt::Unavailable("down".into()), 503),
        (Receipt::Refused("no such thing".into()), 422),
        (Receipt::Taken, 204),
    ] {
        second.answer(&event.subject, receipt);
        assert_eq!(post(&client, &structured(), json::encode(&event)).await.0, status);
    }
    let (status, why) = post(&client, &structured(), "{}").await;
    assert_eq!((status, why.as_str()), (400, "malformed event: specversion is missing"));
    assert_eq!(post(&client, &[], "what?").await.0, 400);
    assert_eq!(post(&client, &structured(), vec![b' '; 2 << 20]).await.0, 413);
    assert_eq!((first.taken().len(), second.taken().len()), (4, 1));
}

#[tokio::test]
async fn with_a_secret_only_signed_bodies_get_in() {
    let (first, second) = (Notebook::of("first", ""), Notebook::of("second", ""));
    let client = listen([first.clone(), second], SECRET).await;
    let body = json::encode(&CloudEvent::of("/ticketing/orchestrator", &completed()));
    let mut headers = structured();
    assert_eq!(post(&client, &headers, body.clone()).await.0, 401);
    headers.push((signature::HEADER.into(), signature::sign("a guess", &body)));
    assert_eq!(post(&client, &headers, body.clone()).await.0, 401);
    assert!(first.taken().is_empty());
    headers.pop();
    headers.push((signature::HEADER.into(), signature::sign(SECRET, &body)));
    assert_eq!(post(&client, &headers, body).await.0, 204);
    assert_eq!(first.ids().len(), 1);
}

#[tokio::test]
async fn in_one_process_an_event_is_taken_when_every_handler_has_taken_it() {
    let (first, second) = (Notebook::of("first", "ticketing.checkout."), Notebook::of("second", ""));
    let local = Local::new([first.clone() as Arc<dyn Handler>, second.clone()]);
    let checkout = CloudEvent::of("/ticketing/orchestrator", &completed());
    let room = CloudEvent { kind: "ticketing.waitingroom.opened.v1".into(), subject: "r".into(), ..checkout.clone() };
    let nobody = CloudEvent { subject: "q".into(), ..room.clone() };
    second.answer("q", Receipt::Refused("bad".into()));
    first.answer(&checkout.subject, Receipt::Failed("locked".into()));
    let receipts = local.publish(&[room.clone(), checkout.clone(), nobody]).await;
    let expected = [Receipt::Taken, Receipt::Failed("locked".into()), Receipt::Refused("bad".into())];
    assert_eq!(receipts, expected);
    assert_eq!(second.taken(), [room, checkout]);
    assert!(first.taken().is_empty());
}
