//! An event in every form that it travels in.

use bytes::Bytes;
use events::binary::Binding;
use events::{CloudEvent, Malformed, PROTOBUF, json};
use proto::event::v1::CheckoutCompleted;
use serde_json::{Value, json};

use crate::given::completed;

fn event() -> CloudEvent {
    CloudEvent::of("/ticketing/orchestrator", &completed())
}

#[test]
fn an_event_of_the_outbox_has_every_attribute_of_the_contract() {
    let written: Value = serde_json::from_slice(&json::encode(&event())).unwrap();
    let mut written = written.as_object().unwrap().clone();
    assert!(written.remove("data_base64").is_some_and(|data| data.is_string()));
    let expected = json!({
        "specversion": "1.0",
        "id": "00000000-0000-0000-0000-000000000007",
        "source": "/ticketing/orchestrator",
        "type": "ticketing.checkout.completed.v1",
        "subject": "checkouts/ä 1%",
        "time": "2027-01-15T08:00:00.123Z",
        "datacontenttype": "application/protobuf",
        "dataschema": "https://type.googleapis.com/ticketing.event.v1.CheckoutCompleted",
        "partitionkey": "reservations/2",
        "sequence": "0000000000000000012",
        "correlationid": "00000000-0000-0000-0000-000000000008",
        "expirytime": "2027-01-16T08:00:00.123Z",
    });
    assert_eq!(Value::Object(written), expected);
}

#[test]
fn a_form_gives_back_what_went_into_it() {
    let mut event = event();
    (event.causation, event.trace_parent) = (Some("operations/1".into()), Some("00-1-2-01".into()));
    assert_eq!(json::decode(&json::encode(&event)), Ok(event.clone()));
    for binding in [Binding::Http, Binding::Kafka] {
        let headers = binding.headers(&event);
        if binding == Binding::Http {
            assert!(headers.iter().all(|(_, value)| value.bytes().all(|byte| (0x20..0x7f).contains(&byte))));
            assert!(headers.contains(&("ce-subject".into(), "checkouts/%C3%A4%201%25".into())), "{headers:?}");
        }
        let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        assert_eq!(binding.event(header, event.data.clone()), Ok(event.clone()), "{binding:?}");
    }
    let data: CheckoutCompleted = event.decode().unwrap();
    assert_eq!((data.concert_title.as_str(), data.amount), ("겨울 나그네", 132_000));
}

#[test]
fn data_that_are_json_stay_readable() {
    let mut event = event();
    (event.content_type, event.data) = ("application/json; charset=utf-8".into(), Bytes::from_static(b"{\"a\":[1]}"));
    let written = json::encode(&event);
    let text: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(text["data"], json!({ "a": [1] }));
    assert_eq!(json::decode(&written), Ok(event.clone()));
    assert!(event.decode::<CheckoutCompleted>().is_err());
}

#[test]
fn what_is_no_event_says_why() {
    let change = |name: &str, value: Value| {
        let mut object: Value = serde_json::from_slice(&json::encode(&event())).unwrap();
        object[name] = value;
        json::decode(object.to_string().as_bytes())
    };
    for (name, value, problem) in [
        ("specversion", json!("0.3"), "specversion is \"0.3\", not \"1.0\""),
        ("id", Value::Null, "id is missing"),
        ("id", json!("7"), "id is \"7\", which is no UUID"),
        ("type", json!(""), "type is missing"),
        ("time", json!("yesterday"), "time is \"yesterday\", which is no time as of RFC 3339"),
        ("sequence", json!("first"), "sequence is \"first\", which is no number"),
        ("data", json!(1), "there are both data and data_base64"),
        ("data_base64", json!(1), "data_base64 is no string"),
    ] {
        assert_eq!(change(name, value), Err(Malformed(problem.into())));
    }
    assert!(json::decode(b"[]").is_err());
    let unmarked = Binding::Kafka.event(|_| None, Bytes::new());
    assert_eq!(unmarked, Err(Malformed("specversion is missing".into())));
    let mut cut = event();
    cut.data = Bytes::from_static(b"\x0a\x7f");
    assert_eq!(cut.content_type, PROTOBUF);
    assert!(cut.decode::<CheckoutCompleted>().is_err());
}
