//! CreateCheckout and what customers do with the checkout that it gives them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use orchestrator::Config;
use orchestrator::runner::Limits;
use pb::checkout::State;
use proto::concert::v1::reservation::State as Held;
use proto::orchestrator::v1 as pb;
use proto::payment::v1::payment::Method;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::fakes::AMOUNT;
use crate::world::{CUSTOMER, OTHER, RESERVATION, World, reason_of, refused, request, seconds, told};

#[tokio::test]
async fn a_checkout_is_answered_when_the_seats_are_the_customers() {
    let world = World::new().await;
    let placed = world.create(request(1)).await.unwrap();
    assert!(matches!(placed.state(), State::Completing | State::Completed), "{placed:?}");
    assert_eq!((placed.customer.as_str(), placed.reservation.as_str()), (CUSTOMER, RESERVATION));
    assert_eq!((placed.amount, placed.seats.len(), placed.tickets.len()), (AMOUNT, 1, 1));
    assert_eq!(placed.payment, placed.name.replace("checkouts", "payments"));
    assert!(placed.decide_time.is_some() && placed.failure.is_none() && placed.version > 1);
    let end = world.end_of(&placed.name).await;
    assert_eq!(end.state(), State::Completed);
    assert!(end.end_time.is_some() && end.version >= placed.version);
}

#[tokio::test]
async fn a_checkout_that_is_decided_while_its_caller_waits_costs_no_read() {
    let world = World::new().await;
    world.create(request(1)).await.unwrap();
    assert_eq!(world.journal.loads.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_same_request_many_times_at_once_is_one_checkout() {
    let world = World::new().await;
    let answers = futures_util::future::join_all((0..50).map(|_| world.create(request(1)))).await;
    let first = answers[0].as_ref().unwrap().name.clone();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.name, first);
        assert!(matches!(answer.state(), State::Completing | State::Completed));
    }
    assert_eq!(world.fakes.calls("LockReservation"), 1);
}

#[tokio::test]
async fn another_request_under_the_same_id_is_refused_but_another_wait_is_not() {
    let world = World::new().await;
    let placed = world.create(request(1)).await.unwrap();
    let again = world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    assert_eq!(again.name, placed.name);
    let other = pb::CreateCheckoutRequest { expected_amount: Some(AMOUNT), ..request(1) };
    assert_eq!(told(world.create(other).await), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let mut others = request(1);
    others.checkout.as_mut().unwrap().customer = OTHER.into();
    assert_ne!(world.create(others).await.unwrap().name, placed.name, "ids belong to their customer");
}

type Spoil = fn(&mut pb::CreateCheckoutRequest);

fn checkout(request: &mut pb::CreateCheckoutRequest) -> &mut pb::Checkout {
    request.checkout.as_mut().unwrap()
}

#[tokio::test]
async fn a_request_is_refused_for_the_field_that_is_wrong() {
    let table: &[(Spoil, &str, &str)] = &[
        (|r| r.request_id.clear(), "request_id", "is required"),
        (|r| r.request_id = "1".into(), "request_id", "must be a UUID"),
        (|r| r.request_id = "00000000-0000-7000-8000-0000000000AB".into(), "request_id", "lower case"),
        (|r| r.checkout = None, "checkout", "is required"),
        (|r| checkout(r).customer.clear(), "checkout.customer", "is required"),
        (|r| checkout(r).customer = "customers/1".into(), "checkout.customer", "must be a UUID"),
        (|r| checkout(r).customer = RESERVATION.into(), "checkout.customer", "customers/{id}"),
        (|r| checkout(r).customer.push_str("/x"), "checkout.customer", "customers/{id}"),
        (|r| checkout(r).reservation.clear(), "checkout.reservation", "is required"),
        (|r| checkout(r).reservation = CUSTOMER.into(), "checkout.reservation", "reservations/{id}"),
        (|r| checkout(r).payment_method = 0, "checkout.payment_method", "is required"),
        (
            |r| checkout(r).payment_method = Method::Card.into(),
            "checkout.payment_method",
            "CARD is not offered for a checkout",
        ),
        (|r| checkout(r).payment_method = 3, "checkout.payment_method", "BANK_TRANSFER is not offered for a checkout"),
        (|r| checkout(r).payment_method = 99, "checkout.payment_method", "no payment method"),
        (|r| checkout(r).queue_token = "queueTokens/1".into(), "checkout.queue_token", "waitingRooms/{id}"),
        (|r| checkout(r).queue_token = "waitingRooms/1/queueTokens/2".into(), "checkout.queue_token", "UUID"),
        (|r| r.card = Some(pb::Card::default()), "card", "belongs to payment by CARD"),
        (|r| r.wait = seconds(-1), "wait", "0 to 30"),
        (|r| r.wait = seconds(31), "wait", "0 to 30"),
        (|r| r.wait = seconds(i64::MAX), "wait", "0 to 30"),
        (|r| r.wait = Some(prost_types::Duration { seconds: 0, nanos: -1 }), "wait", "0 to 30"),
        (|r| r.wait = Some(prost_types::Duration { seconds: 30, nanos: 1_000_000 }), "wait", "0 to 30"),
        (|r| r.expected_amount = Some(-1), "expected_amount", "from 0 to 100000000"),
        (|r| r.expected_amount = Some(100_000_001), "expected_amount", "from 0 to 100000000"),
    ];
    let world = World::new().await;
    for (spoil, field, problem) in table {
        let mut request = request(1);
        spoil(&mut request);
        let status = world.create(request).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!((status.code(), violations[0].field.as_str()), (Code::InvalidArgument, *field), "{status:?}");
        assert!(violations[0].description.contains(problem), "{field}: {}", violations[0].description);
        let reason = if *field == "expected_amount" { "AMOUNT_OUT_OF_RANGE" } else { "FIELD_INVALID" };
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
    }
    assert_eq!(world.fakes.calls("LockReservation"), 0);
}

#[tokio::test]
async fn a_refused_checkout_is_answered_when_all_is_taken_back_with_the_refusal_as_it_was() {
    let world = World::new().await;
    world.fakes.fail("ReservePoints", refused("INSUFFICIENT_POINTS"));
    let failed = world.create(request(1)).await.unwrap();
    assert_eq!(failed.state(), State::Failed);
    assert_eq!(reason_of(failed.failure.as_ref()), "INSUFFICIENT_POINTS");
    assert_eq!(failed.failure.as_ref().unwrap().message, "said no");
    assert_eq!(world.fakes.calls("UnlockReservation"), 1);
    assert_eq!(world.create(request(1)).await.unwrap(), failed, "a repeat reads the same");
}

#[tokio::test]
async fn a_checkout_that_takes_long_is_answered_as_it_stands() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let at_once = world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    assert_eq!((at_once.state(), at_once.version), (State::Running, 1));
    let wait = Some(prost_types::Duration { seconds: 0, nanos: 50_000_000 });
    let later = world.create(pb::CreateCheckoutRequest { wait, ..request(1) }).await.unwrap();
    assert_eq!((later.name.as_str(), later.state()), (at_once.name.as_str(), State::Running));
    release.send(true).unwrap();
    assert_eq!(world.end_of(&at_once.name).await.state(), State::Completed);
}

#[tokio::test]
async fn with_too_many_sagas_under_way_nothing_is_started() {
    let limits = Limits { sagas: 0, ..Limits::default() };
    let world = World::with(Config { limits, ..Config::default() }).await;
    let status = world.create(request(1)).await.unwrap_err();
    assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::ZERO);
    assert_eq!(told::<()>(Err(status)), (Code::ResourceExhausted, "OVERLOADED".into()));
}

#[tokio::test]
async fn an_orchestrator_that_stops_starts_nothing_and_answers_those_who_wait() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let waiting = world.create(pb::CreateCheckoutRequest { wait: seconds(30), ..request(1) });
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.shards.shut_down(Duration::ZERO).await.unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, stopping);
    assert_eq!(answer.unwrap().state(), State::Running);
    let status = world.create(request(2)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("same request_id"));
}

#[tokio::test]
async fn an_acceptance_in_doubt_tells_to_ask_again_and_asking_again_finds_it() {
    let world = World::new().await;
    world.journal.loses_answer.store(true, Ordering::SeqCst);
    let status = world.create(request(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    assert!(status.message().contains("same request_id"));
    let again = world.create(pb::CreateCheckoutRequest { wait: seconds(30), ..request(1) }).await.unwrap();
    assert!(matches!(again.state(), State::Completing | State::Completed));
    assert_eq!(world.fakes.calls("ConfirmReservation"), 1);
}

fn only_check() -> pb::CreateCheckoutRequest {
    pb::CreateCheckoutRequest { validate_only: true, ..request(1) }
}

#[tokio::test]
async fn a_check_tells_what_the_checkout_would_cost_and_starts_nothing() {
    let world = World::new().await;
    let foreseen = world.create(only_check()).await.unwrap();
    assert_eq!((foreseen.name.as_str(), foreseen.amount, foreseen.seats.len()), ("", AMOUNT, 1));
    assert_eq!(world.fakes.calls("LockReservation"), 0);
    let all = world.checkouts.clone().list_checkouts(pb::ListCheckoutsRequest::default()).await.unwrap();
    assert!(all.into_inner().checkouts.is_empty());
}

#[tokio::test]
async fn a_check_foresees_the_refusals_that_a_look_can_tell() {
    let world = World::new().await;
    let reservation = world.fakes.reservation.lock().unwrap().clone();
    let states = [
        (Held::Confirming, "RESERVATION_LOCKED"),
        (Held::Expired, "HOLD_EXPIRED"),
        (Held::Confirmed, "RESERVATION_NOT_HELD"),
        (Held::Released, "RESERVATION_NOT_HELD"),
    ];
    for (state, reason) in states {
        world.fakes.reservation.lock().unwrap().set_state(state);
        assert_eq!(told(world.create(only_check()).await), (Code::FailedPrecondition, reason.into()));
    }
    let over = prost_types::Timestamp { seconds: 1, nanos: 0 };
    *world.fakes.reservation.lock().unwrap() =
        proto::concert::v1::Reservation { expire_time: Some(over), ..reservation.clone() };
    let status = world.create(only_check()).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["expire_time"], "1970-01-01T00:00:01Z");
    assert_eq!(told::<()>(Err(status)), (Code::FailedPrecondition, "HOLD_EXPIRED".into()));
    *world.fakes.reservation.lock().unwrap() =
        proto::concert::v1::Reservation { customer: OTHER.into(), ..reservation.clone() };
    assert_eq!(told(world.create(only_check()).await), (Code::PermissionDenied, "NOT_OWNER".into()));
    *world.fakes.reservation.lock().unwrap() = reservation;
    let cheaper = pb::CreateCheckoutRequest { expected_amount: Some(1), ..only_check() };
    assert_eq!(told(world.create(cheaper).await), (Code::FailedPrecondition, "AMOUNT_CHANGED".into()));
    *world.fakes.points.lock().unwrap() = AMOUNT - 1;
    let status = world.create(only_check()).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["shortfall"], "1");
    assert_eq!(told::<()>(Err(status)), (Code::FailedPrecondition, "INSUFFICIENT_POINTS".into()));
    let gone = tonic::Status::not_found("no such reservation");
    world.fakes.fail("GetReservation", gone);
    assert_eq!(told(world.create(only_check()).await).0, Code::NotFound);
}
