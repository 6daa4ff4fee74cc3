//! From the outbox to a webhook and through the receiver to a handler.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use events::{CloudEvent, Handler, Receipt, Relay, Sink, Webhook, receiver};
use service_kit::clock::ManualClock;

use crate::given::{NOW_MS, Notebook, completed};
use crate::relay::{OUTBOX, Outside, POLICY};

const TIMEOUT: Duration = Duration::from_secs(60);

async fn serve(routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio_util::task::TaskTracker::new().spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}{}", receiver::PATH)
}

#[tokio::test]
async fn events_arrive_signed_as_they_were_sent() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let outside = Outside::over(testbed::db(clock.clone()).await, clock).await;
    let notebook = Notebook::of("notices", "");
    let url = serve(receiver::routes([notebook.clone() as Arc<dyn Handler>], "secret")).await;
    for version in 1..=50 {
        outside.announce(&format!("p{}", version % 5), version).await;
    }
    let relay = |secret: &str| {
        let sink: Arc<dyn Sink> = Arc::new(Webhook::new(&url, secret, TIMEOUT).unwrap());
        Relay::new(&outside.host, (&outside.host.db, &OUTBOX), &[sink], POLICY)
    };
    // A wrong secret is no fault of the events.
    relay("other").publish().await.unwrap();
    assert!(notebook.taken().is_empty());
    let relay = relay("secret");
    while relay.lag().await.unwrap().oldest_ms > 0 {
        outside.clock.advance(60_000);
        relay.catch_up().await.unwrap();
    }
    let taken = notebook.drain();
    assert_eq!(taken.len(), 50);
    assert!(crate::relay::is_ordered(&taken), "{taken:?}");
}

#[tokio::test]
async fn an_event_that_its_handler_cannot_take_becomes_a_dead_letter_and_the_others_do_not_wait() {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    let outside = Outside::over(testbed::db(clock.clone()).await, clock).await;
    let notebook = Notebook::of("notices", "");
    let url = serve(receiver::routes([notebook.clone() as Arc<dyn Handler>], "")).await;
    let sink: Arc<dyn Sink> = Arc::new(Webhook::new(&url, "", TIMEOUT).unwrap());
    let relay = Relay::new(&outside.host, (&outside.host.db, &OUTBOX), &[sink], POLICY);
    notebook.answer("poison", Receipt::Failed("it cannot be stored".into()));
    outside.announce("poison", 1).await;
    for version in 1..=4 {
        outside.announce("good", version).await;
        relay.publish().await.unwrap();
        // The webhook is not taken to be down for it.
        assert_eq!(notebook.drain(), [format!("good@{version}")]);
        outside.clock.advance(60_000);
        relay.catch_up().await.unwrap();
    }
    assert_eq!(relay.lag().await.unwrap().dead, 1);
}

#[tokio::test]
async fn a_status_says_whose_fault_it_is() {
    let event = CloudEvent::of("/ticketing/orchestrator", &completed());
    let says = async |status: u16| {
        let status = StatusCode::from_u16(status).unwrap();
        let routes = Router::new().route(receiver::PATH, axum::routing::post(move || async move { (status, "why") }));
        let sink = Webhook::new(&serve(routes).await, "", TIMEOUT).unwrap();
        sink.publish(std::slice::from_ref(&event)).await.remove(0)
    };
    assert_eq!(says(202).await, Receipt::Taken);
    assert_eq!(says(422).await, Receipt::Refused("422 Unprocessable Entity: why".into()));
    assert_eq!(says(500).await, Receipt::Failed("500 Internal Server Error: why".into()));
    for status in [401, 404, 405, 408, 429, 503] {
        assert!(matches!(says(status).await, Receipt::Unavailable(_)), "{status}");
    }
    let nobody = Webhook::new("http://127.0.0.1:1/events", "", TIMEOUT).unwrap();
    assert!(matches!(nobody.publish(&[event]).await[..], [Receipt::Unavailable(_)]));
    for wrong in ["", "https://127.0.0.1/", "ftp://x", "127.0.0.1:80"] {
        assert!(Webhook::new(wrong, "", TIMEOUT).is_err(), "{wrong}");
    }
}
