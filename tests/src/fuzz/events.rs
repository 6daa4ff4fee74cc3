//! Events as others send them. What is taken for one is the same after it was written and read again.

use axum::body::Body;
use bytes::Bytes;
use events::binary::Binding;
use events::{CloudEvent, receiver};
use http::Request;
use tokio::runtime::Builder;
use tower::ServiceExt as _;
use uuid::Uuid;

pub(super) fn json(data: &[u8]) {
    let Ok(event) = events::json::decode(data) else { return };
    let again = events::json::decode(&events::json::encode(&event));
    assert_eq!(again.as_ref(), Ok(&event));
    for binding in [Binding::Http, Binding::Kafka] {
        let headers = binding.headers(&event);
        let header = |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        let again = binding.event(header, event.data.clone());
        assert_eq!(again.as_ref(), Ok(&event), "{headers:?}");
    }
}

fn event() -> CloudEvent {
    CloudEvent {
        id: Uuid::from_u128(7),
        source: "/ticketing/orchestrator".into(),
        kind: "ticketing.checkout.completed.v1".into(),
        subject: "checkouts/1".into(),
        time_ms: 1_800_000_000_000,
        partition: "reservations/1".into(),
        version: 9,
        correlation: Some(Uuid::from_u128(8)),
        causation: Some("because".into()),
        trace_parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        expiry_time_ms: Some(1_800_000_100_000),
        schema: Some("ticketing.event.v1.CheckoutCompleted".into()),
        content_type: events::PROTOBUF.into(),
        data: Bytes::from_static(b"\x0a\x03abc"),
    }
}

pub(super) fn json_seeds() -> Vec<Vec<u8>> {
    let plain =
        CloudEvent { content_type: "application/json".into(), data: Bytes::from_static(b"{\"a\":1}"), ..event() };
    let text = CloudEvent { content_type: "text/plain".into(), data: Bytes::from_static(b"abc"), ..event() };
    [event(), plain, text].iter().map(events::json::encode).collect()
}

/// Lines up to an empty one are headers, the rest is the body.
pub(super) fn webhook(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((&b""[..], data), |end| (&data[..end], &data[end + 2..]));
    let mut request = Request::post(receiver::PATH);
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    let Ok(request) = request.body(Body::from(body.to_vec())) else { return };
    let runtime = Builder::new_current_thread().build().unwrap();
    for secret in ["", "secret"] {
        let Ok(copy) = copied(&request, body) else { return };
        let answer = runtime.block_on(receiver::routes([], secret).oneshot(copy)).unwrap();
        // Nobody is there who would not take it.
        let allowed: &[u16] = if secret.is_empty() { &[204, 400] } else { &[401] };
        assert!(allowed.contains(&answer.status().as_u16()), "{} with {secret:?}", answer.status());
    }
}

fn copied(request: &Request<Body>, body: &[u8]) -> http::Result<Request<Body>> {
    let mut copy = Request::post(receiver::PATH);
    for (name, value) in request.headers() {
        copy = copy.header(name, value);
    }
    copy.body(Body::from(body.to_vec()))
}

pub(super) fn webhook_seeds() -> Vec<Vec<u8>> {
    let event = event();
    let headers = Binding::Http.headers(&event);
    let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    let binary = [lines.join("\n").as_bytes(), b"\n\n", &event.data[..]].concat();
    let structured = [&b"content-type:application/cloudevents+json\n\n"[..], &events::json::encode(&event)].concat();
    vec![binary, structured, b"x-signature:nonsense\n\n{}".to_vec()]
}
