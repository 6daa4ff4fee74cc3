//! CreatePointCharge, and what is seen of the saga that it starts.

use orchestrator::Config;
use pb::checkout::State;
use prost::Message as _;
use proto::event::v1::{PointChargeCompleted, PointChargeFailed};
use proto::orchestrator::v1 as pb;
use proto::payment::v1::payment::Method;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::fakes::{AMOUNT, BALANCE};
use crate::world::{CUSTOMER, RESERVATION, World, reason_of, refused, seconds, told};

fn request(number: u128) -> pb::CreatePointChargeRequest {
    pb::CreatePointChargeRequest {
        point_charge: Some(pb::PointCharge {
            customer: CUSTOMER.into(),
            amount: AMOUNT,
            payment_method: Method::Card.into(),
            ..Default::default()
        }),
        card: Some(pb::Card { processor_token: "tok_visa".into(), last_four: "4242".into() }),
        request_id: Uuid::from_u128(number).to_string(),
        ..Default::default()
    }
}

async fn create(world: &World, request: pb::CreatePointChargeRequest) -> Result<pb::PointCharge, Status> {
    world.checkouts.clone().create_point_charge(request).await.map(tonic::Response::into_inner)
}

async fn get(world: &World, name: &str) -> Result<pb::PointCharge, Status> {
    let request = pb::GetPointChargeRequest { name: name.into() };
    world.checkouts.clone().get_point_charge(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_charge_is_answered_when_the_money_is_taken() {
    let world = World::new().await;
    let placed = create(&world, request(1)).await.unwrap();
    assert!(matches!(placed.state(), State::Completing | State::Completed), "{placed:?}");
    assert_eq!((placed.customer.as_str(), placed.amount, placed.payment_method()), (CUSTOMER, AMOUNT, Method::Card));
    assert_eq!(placed.payment, "payments/p");
    let saga = placed.name.replace("pointCharges/", "sagas/");
    let saga = world.sagas.clone().get_saga(pb::GetSagaRequest { name: saga }).await.unwrap().into_inner();
    assert_eq!(
        (saga.kind.as_str(), saga.resource.as_str(), saga.amount),
        ("pointCharge", placed.name.as_str(), AMOUNT)
    );
}

#[tokio::test]
async fn a_charge_that_has_ended_is_announced_with_the_balance_after_it_or_with_why_not() {
    let world = World::new().await;
    let placed = create(&world, request(1)).await.unwrap();
    world.fakes.fail("CapturePayment", refused("PAYMENT_DECLINED"));
    let failed = create(&world, request(2)).await.unwrap();
    while world.journal.journal.events().len() < 2 {
        tokio::task::yield_now().await;
    }
    for event in world.journal.journal.events() {
        assert_eq!(event.partition, CUSTOMER, "the events of a customer stay together");
        if event.kind == "ticketing.pointcharge.completed.v1" {
            let told = PointChargeCompleted::decode(event.data.as_slice()).unwrap();
            assert_eq!((told.point_charge, told.amount, told.balance_after), (placed.name.clone(), AMOUNT, BALANCE));
        } else {
            assert_eq!(event.kind, "ticketing.pointcharge.failed.v1");
            let told = PointChargeFailed::decode(event.data.as_slice()).unwrap();
            assert_eq!((told.point_charge, told.refusing_step.as_str()), (failed.name.clone(), "capture-payment"));
            assert_eq!(reason_of(told.failure.as_ref()), "PAYMENT_DECLINED");
        }
    }
}

fn charge(request: &mut pb::CreatePointChargeRequest) -> &mut pb::PointCharge {
    request.point_charge.as_mut().unwrap()
}

fn card(request: &mut pb::CreatePointChargeRequest) -> &mut pb::Card {
    request.card.as_mut().unwrap()
}

type Spoil = fn(&mut pb::CreatePointChargeRequest);

#[tokio::test]
async fn a_request_is_refused_for_the_field_that_is_wrong() {
    let table: &[(Spoil, &str, &str)] = &[
        (|r| r.request_id = "1".into(), "request_id", "must be a UUID"),
        (|r| r.point_charge = None, "point_charge", "is required"),
        (|r| charge(r).customer = RESERVATION.into(), "point_charge.customer", "customers/{id}"),
        (|r| charge(r).amount = 0, "point_charge.amount", "from 1000 to 1000000"),
        (|r| charge(r).amount = 999, "point_charge.amount", "from 1000 to 1000000"),
        (|r| charge(r).amount = 1_000_001, "point_charge.amount", "from 1000 to 1000000"),
        (|r| charge(r).amount = i64::MAX, "point_charge.amount", "from 1000 to 1000000"),
        (|r| charge(r).payment_method = 0, "point_charge.payment_method", "is required"),
        (|r| charge(r).payment_method = Method::Point.into(), "point_charge.payment_method", "buys no points"),
        (|r| charge(r).payment_method = Method::BankTransfer.into(), "point_charge.payment_method", "not offered"),
        (|r| charge(r).payment_method = 99, "point_charge.payment_method", "no payment method"),
        (|r| r.card = None, "card", "is required"),
        (|r| card(r).processor_token.clear(), "card.processor_token", "is required"),
        (|r| card(r).processor_token = "4242424242424242".into(), "card.processor_token", "number of a card"),
        (|r| card(r).last_four = "42".into(), "card.last_four", "four digits"),
        (|r| r.wait = seconds(-1), "wait", "0 to 30"),
    ];
    let world = World::new().await;
    for (spoil, field, problem) in table {
        let mut request = request(1);
        spoil(&mut request);
        let status = create(&world, request).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!((status.code(), violations[0].field.as_str()), (Code::InvalidArgument, *field), "{status:?}");
        assert!(violations[0].description.contains(problem), "{field}: {}", violations[0].description);
        let reason = if field.ends_with("amount") { "AMOUNT_OUT_OF_RANGE" } else { "FIELD_INVALID" };
        assert_eq!(status.get_details_error_info().unwrap().reason, reason);
        assert!(!format!("{status:?}").contains("4242424242424242"), "no number of a card is repeated");
    }
    assert_eq!(world.fakes.calls("AuthorizePayment"), 0);
}

#[tokio::test]
async fn nobody_charges_beyond_the_limit_but_a_repeat_still_reads_its_charge() {
    let world = World::with(Config { balance_most: 3 * AMOUNT, ..Config::default() }).await;
    *world.fakes.balance.lock().unwrap() = 2 * AMOUNT;
    let placed = create(&world, request(1)).await.unwrap();
    *world.fakes.balance.lock().unwrap() = 3 * AMOUNT;
    let status = create(&world, request(2)).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.metadata["limit"].as_str(), info.metadata["balance"].as_str()), ("150000", "150000"));
    assert_eq!(told::<()>(Err(status)), (Code::FailedPrecondition, "POINT_BALANCE_LIMIT".into()));
    assert_eq!(create(&world, request(1)).await.unwrap().name, placed.name);
    assert_eq!(world.fakes.calls("AuthorizePayment"), 1);
}

#[tokio::test]
async fn who_is_unknown_or_cannot_be_looked_up_charges_nothing() {
    let world = World::new().await;
    world.fakes.fail("GetCustomer", Status::not_found("no such customer"));
    assert_eq!(create(&world, request(1)).await.unwrap_err().code(), Code::NotFound);
    world.fakes.fail("GetCustomer", Status::unavailable("down"));
    assert_eq!(create(&world, request(1)).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(world.fakes.calls("AuthorizePayment"), 0);
    world.fakes.heal("GetCustomer");
    assert!(create(&world, request(1)).await.is_ok());
}

#[tokio::test]
async fn a_declined_card_fails_the_charge_and_says_so() {
    let world = World::new().await;
    world.fakes.fail("AuthorizePayment", refused("PAYMENT_DECLINED"));
    let failed = create(&world, request(1)).await.unwrap();
    assert_eq!((failed.state(), reason_of(failed.failure.as_ref()).as_str()), (State::Failed, "PAYMENT_DECLINED"));
    assert_eq!((world.fakes.calls("CancelPayment"), world.fakes.calls("CreditPoints")), (0, 0));
    assert_eq!(get(&world, &failed.name).await.unwrap(), failed);
}

#[tokio::test]
async fn another_charge_under_the_same_id_is_refused() {
    let world = World::new().await;
    create(&world, request(1)).await.unwrap();
    let mut other = request(1);
    charge(&mut other).amount += 1;
    assert_eq!(told(create(&world, other).await), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let unknown = format!("pointCharges/{}", Uuid::from_u128(9));
    assert_eq!(told(get(&world, &unknown).await), (Code::NotFound, "POINT_CHARGE_NOT_FOUND".into()));
}

#[tokio::test]
async fn the_token_of_a_card_is_shown_to_nobody() {
    let world = World::new().await;
    let placed = create(&world, request(1)).await.unwrap();
    let id = placed.name.trim_start_matches("pointCharges/");
    let (_, page) = crate::console::page(&world, &format!("/sagas/{id}")).await;
    assert!(page.contains("4242") && page.contains("CARD"), "{page}");
    assert!(!page.contains("tok_visa"), "{page}");
}
