//! Bad input never panics and never changes anything. The contracts themselves say what there is to spoil: every method,
//! every field of its request, every value that cannot be right. Each spoilt request gets a code that says whose fault it
//! is and the field or the reason for programs, and afterwards every row of every table is what it was.
//!
//! Requests go in as bytes, so that it is the services who decode them.

mod cancelled;
mod fuzz;
mod trial;

use prost::Message as _;
use proto::concert::v1 as concert;
use skald_tests::bad_input::{call, contract, message, stage, wrong};
use tonic::Code;

use call::Sent;
use message::{places, with};
use stage::{STEPS, Stage};
use trial::Trial;
use wrong::Kind;

/// Steps that have nothing to do, and say OK, when there is nothing of that name.
const CONTENT_WITH_NOTHING: [&str; 6] = [
    "UnlockReservation",
    "ReleasePoints",
    "CancelPayment",
    "CompleteQueueToken",
    "AbortReservationCancellation",
    "CancelRefund",
];

#[tokio::test(start_paused = true)]
async fn every_method_accepts_its_sample() {
    let (mut problems, mut stage) = (Vec::new(), Stage::new().await);
    for method in contract::Contract::read().methods {
        match stage.call(&method, &stage.sample(&method)).await {
            // The next one needs what this one may have used up.
            Ok(_) => stage = Stage::new().await,
            Err(status) => problems.push(format!("{}: {status:?}", method.path)),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_required_field_that_is_missing_is_named() {
    let mut trial = Trial::new().await;
    for (method, sent) in trial.samples() {
        for place in places(&trial.contract, &method.request, &sent.message) {
            if !trial.contract.requires(&place.within, place.last_name()) {
                continue;
            }
            let message = with(&sent.message, &place.path, None);
            let status = trial.refused(&method, Sent { message, ..sent.clone() }).await;
            trial.expect_named(&method, &place, status);
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_right_is_refused_and_named() {
    let mut trial = Trial::new().await;
    for (method, sent) in trial.samples() {
        for place in places(&trial.contract, &method.request, &sent.message) {
            for value in wrong::values(&place) {
                let message = with(&sent.message, &place.path, Some(&value));
                let status = trial.refused(&method, Sent { message, ..sent.clone() }).await;
                // A number may be wrong only in relation to another field.
                if !matches!(wrong::kind(&place), Kind::Number | Kind::Proof) {
                    trial.expect_named(&method, &place, status);
                }
            }
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn what_does_not_exist_is_not_found() {
    let mut trial = Trial::new().await;
    for (method, sent) in trial.samples() {
        let is_step = STEPS.iter().any(|(name, _)| *name == method.name);
        let is_content = CONTENT_WITH_NOTHING.contains(&method.name.as_str());
        for place in places(&trial.contract, &method.request, &sent.message) {
            let named = ["name", "parent", "performance", "waiting_room.name"].contains(&place.name.as_str());
            // Payments and places in the waiting room may be anybody's.
            let knows_customers = ["ticketing.concert.v1", "ticketing.customer.v1"].contains(&method.package.as_str());
            let owned = place.name == "customer" && is_step && knows_customers;
            if !(named || owned) || wrong::kind(&place) != Kind::Name {
                continue;
            }
            let name = place.value.as_ref().unwrap().as_text();
            let message = with_other_id(&sent.message, wrong::last_id(name));
            let status = trial.refused_unless(is_content, &method, Sent { message, ..sent.clone() }).await;
            let code =
                if owned && method.package == "ticketing.concert.v1" { Code::PermissionDenied } else { Code::NotFound };
            trial.expect_code(&method, &place, status, code);
        }
    }
    trial.end();
}

/// The message with an unknown id wherever it had `id`.
fn with_other_id(message: &[u8], id: &str) -> Vec<u8> {
    const UNKNOWN: &str = "01990000-0000-7000-8000-0000000000ff";
    let mut message = message.to_vec();
    while let Some(at) = message.windows(id.len()).position(|part| part == id.as_bytes()) {
        message[at..at + id.len()].copy_from_slice(UNKNOWN.as_bytes());
    }
    message
}

#[tokio::test(start_paused = true)]
async fn a_step_without_its_metadata_is_refused() {
    let mut trial = Trial::new().await;
    let bad = [
        ("saga-step", vec![None, Some(""), Some("x")]),
        ("saga-epoch", vec![None, Some(""), Some("soon"), Some("1.5"), Some("99999999999999999999")]),
    ];
    for (method, sent) in trial.samples() {
        if sent.metadata.is_empty() {
            continue;
        }
        for (key, values) in &bad {
            for value in values {
                let long = value.map(|value| if value == "x" { "x".repeat(65) } else { value.to_owned() });
                let mut sent = sent.clone();
                sent.metadata.retain(|(other, _)| other != key);
                sent.metadata.extend(long.map(|value| (*key, value)));
                let status = trial.refused(&method, sent).await;
                trial.expect_violation(&method, status, key);
            }
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_is_not_read() {
    let mut trial = Trial::new().await;
    for (method, sent) in trial.samples() {
        // A field that no message knows.
        let padding = [&[0xfa, 0x3f, 0x80, 0x80, 0x04], &[b'x'; 65_536][..]].concat();
        let message = [sent.message.clone(), padding].concat();
        if let Some(status) = trial.refused(&method, Sent { message, ..sent }).await {
            assert_eq!(status.code(), Code::OutOfRange, "{}: {status:?}", method.name);
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn seats_are_held_each_once_and_only_those_of_the_performance() {
    let mut trial = Trial::new().await;
    let (method, sent) = trial.sample("CreateReservation");
    let good = concert::CreateReservationRequest::decode(sent.message.as_slice()).unwrap();
    let seat = |seat: &str| format!("{}/seats/{seat}", good.performance);
    let many = |count: usize| (0..count).map(|number| seat(&format!("A-{number}"))).collect::<Vec<_>>();
    let foreign = seat("A-10").replace("performances/0", "performances/1");
    for (seats, code) in [
        (vec![], Code::InvalidArgument),
        (many(11), Code::InvalidArgument),
        (many(500), Code::InvalidArgument),
        (vec![seat("A-10"), seat("A-10")], Code::InvalidArgument),
        (vec![foreign], Code::InvalidArgument),
        (vec!["A-10".into()], Code::InvalidArgument),
        (vec![seat("")], Code::InvalidArgument),
        (vec![seat("A-10"), seat("A-99")], Code::NotFound),
        (vec![seat("A-10"), seat("A-1")], Code::FailedPrecondition),
        (many(10).split_off(5), Code::FailedPrecondition),
    ] {
        let request = concert::CreateReservationRequest { seats, ..good.clone() };
        let message = request.encode_to_vec();
        if let Some(status) = trial.refused(&method, Sent { message, ..sent.clone() }).await {
            assert_eq!(status.code(), code, "{status:?} to {request:?}");
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn seats_are_created_each_once_and_no_more_than_a_batch() {
    let mut trial = Trial::new().await;
    let (method, sent) = trial.sample("BatchCreateSeats");
    let good = concert::BatchCreateSeatsRequest::decode(sent.message.as_slice()).unwrap();
    let seat = |id: &str| concert::Seat { name: id.into(), ..Default::default() };
    let many = |count: usize| (0..count).map(|number| seat(&format!("C{number}"))).collect::<Vec<_>>();
    let existing = (0..20).map(|number| seat(&format!("A-{number}"))).collect();
    let foreign = trial.stage.new_seat("C-1").name.replace("performances/0", "performances/1");
    for (seats, code) in [
        (vec![], Code::InvalidArgument),
        (many(1_001), Code::InvalidArgument),
        (vec![seat("C1"), seat("C2"), seat("C1")], Code::InvalidArgument),
        (vec![seat(&foreign)], Code::InvalidArgument),
        (vec![concert::Seat { price: -1, ..seat("C1") }], Code::InvalidArgument),
        (vec![concert::Seat { price: i64::MAX, ..seat("C1") }], Code::InvalidArgument),
        (vec![seat("C1"), seat("A-1")], Code::AlreadyExists),
        (existing, Code::AlreadyExists),
    ] {
        let request = concert::BatchCreateSeatsRequest { seats, ..good.clone() };
        let message = request.encode_to_vec();
        if let Some(status) = trial.refused(&method, Sent { message, ..sent.clone() }).await {
            assert_eq!(status.code(), code, "{status:?} to {request:?}");
        }
    }
    trial.end();
}

#[tokio::test(start_paused = true)]
async fn a_request_id_stands_for_one_request() {
    for name in ["CreateConcert", "CreatePerformance", "CreateCustomer", "CreateReservation", "CreateWaitingRoom"] {
        let mut trial = Trial::new().await;
        let (method, sent) = trial.sample(name);
        trial.stage.call(&method, &sent).await.unwrap();
        trial.look_again().await;
        let (other_method, other) = trial.sample("IssueQueueToken");
        let reused = if name == "CreateWaitingRoom" { (other_method, other) } else { trial.spoilt(name) };
        if let Some(status) = trial.refused(&reused.0, reused.1).await {
            assert_eq!(service_kit::refusal::reason(&status).as_deref(), Some("REQUEST_ID_REUSED"), "{status:?}");
        }
        trial.end();
    }
}
