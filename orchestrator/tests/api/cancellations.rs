//! CreateCancellation, and what is seen of the saga that it starts.

use orchestrator::Config;
use orchestrator::runner::Limits;
use pb::checkout::State;
use proto::orchestrator::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::fakes::{AMOUNT, FEE};
use crate::world::{CUSTOMER, OTHER, RESERVATION, World, reason_of, refused, seconds, told};

fn request(number: u128) -> pb::CreateCancellationRequest {
    pb::CreateCancellationRequest {
        cancellation: Some(pb::Cancellation {
            reservation: RESERVATION.into(),
            customer: CUSTOMER.into(),
            ..Default::default()
        }),
        request_id: Uuid::from_u128(number).to_string(),
        ..Default::default()
    }
}

async fn create(world: &World, request: pb::CreateCancellationRequest) -> Result<pb::Cancellation, Status> {
    world.checkouts.clone().create_cancellation(request).await.map(tonic::Response::into_inner)
}

async fn get(world: &World, name: &str) -> Result<pb::Cancellation, Status> {
    let request = pb::GetCancellationRequest { name: name.into() };
    world.checkouts.clone().get_cancellation(request).await.map(tonic::Response::into_inner)
}

/// The saga behind a cancellation once it has ended.
async fn end_of(world: &World, cancellation: &str) -> pb::Saga {
    let name = cancellation.replace("cancellations/", "sagas/");
    let mut versions = world.sagas.clone().watch_saga(pb::WatchSagaRequest { name }).await.unwrap().into_inner();
    let mut last = None;
    while let Some(version) = versions.message().await.unwrap() {
        last = Some(version);
    }
    last.unwrap()
}

#[tokio::test]
async fn a_cancellation_is_answered_when_the_reservation_is_cancelled() {
    let world = World::new().await;
    let placed = create(&world, request(1)).await.unwrap();
    assert!(matches!(placed.state(), State::Completing | State::Completed), "{placed:?}");
    assert_eq!((placed.reservation.as_str(), placed.customer.as_str()), (RESERVATION, CUSTOMER));
    assert_eq!(
        (placed.refund_amount, placed.fee_amount, placed.refund.as_str()),
        (AMOUNT - FEE, FEE, "payments/p/refunds/f")
    );
    let saga = end_of(&world, &placed.name).await;
    assert_eq!(
        (saga.kind.as_str(), saga.resource.as_str(), saga.steps.len()),
        ("cancellation", placed.name.as_str(), 5)
    );
    assert_eq!((saga.amount, saga.customer.as_str()), (AMOUNT - FEE, CUSTOMER));
    let end = get(&world, &placed.name).await.unwrap();
    assert_eq!(end.state(), State::Completed);
    assert!(end.decide_time.is_some() && end.end_time.is_some() && end.failure.is_none());
}

#[tokio::test]
async fn the_same_request_is_one_cancellation_and_another_under_its_id_is_refused() {
    let world = World::new().await;
    let answers = futures_util::future::join_all((0..20).map(|_| create(&world, request(1)))).await;
    let first = answers[0].as_ref().unwrap().name.clone();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap().name == first));
    assert_eq!(world.fakes.calls("BeginReservationCancellation"), 1);
    let mut other = request(1);
    other.cancellation.as_mut().unwrap().reservation = RESERVATION.replace("d1", "d2");
    assert_eq!(told(create(&world, other).await), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    let mut others = request(1);
    others.cancellation.as_mut().unwrap().customer = OTHER.into();
    assert_ne!(create(&world, others).await.unwrap().name, first, "ids belong to their customer");
}

type Spoil = fn(&mut pb::CreateCancellationRequest);

#[tokio::test]
async fn a_request_is_refused_for_the_field_that_is_wrong() {
    let table: &[(Spoil, &str, &str)] = &[
        (|r| r.request_id.clear(), "request_id", "is required"),
        (|r| r.cancellation = None, "cancellation", "is required"),
        (|r| r.cancellation.as_mut().unwrap().reservation.clear(), "cancellation.reservation", "is required"),
        (
            |r| r.cancellation.as_mut().unwrap().reservation = CUSTOMER.into(),
            "cancellation.reservation",
            "reservations/{id}",
        ),
        (
            |r| r.cancellation.as_mut().unwrap().customer = "customers/1".into(),
            "cancellation.customer",
            "must be a UUID",
        ),
        (|r| r.wait = seconds(31), "wait", "0 to 30"),
        (|r| r.waive_fee = true, "waive_fee", "for operators"),
    ];
    let world = World::new().await;
    for (spoil, field, problem) in table {
        let mut request = request(1);
        spoil(&mut request);
        let status = create(&world, request).await.unwrap_err();
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!((status.code(), violations[0].field.as_str()), (Code::InvalidArgument, *field), "{status:?}");
        assert!(violations[0].description.contains(problem), "{field}: {}", violations[0].description);
    }
    assert_eq!(world.fakes.calls("BeginReservationCancellation"), 0);
}

#[tokio::test]
async fn an_operator_names_no_customer_and_may_waive_the_fee() {
    let world = World::new().await;
    let mut waived = pb::CreateCancellationRequest { waive_fee: true, ..request(1) };
    waived.cancellation.as_mut().unwrap().customer.clear();
    let placed = create(&world, waived).await.unwrap();
    assert_eq!((placed.customer.as_str(), placed.fee_amount), ("", 0));
}

#[tokio::test]
async fn a_refused_cancellation_says_why_and_a_repeat_reads_the_same() {
    let world = World::new().await;
    world.fakes.fail("CreateRefund", refused("REFUND_EXCEEDS_CAPTURED"));
    let failed = create(&world, request(1)).await.unwrap();
    assert_eq!(
        (failed.state(), reason_of(failed.failure.as_ref()).as_str()),
        (State::Failed, "REFUND_EXCEEDS_CAPTURED")
    );
    assert_eq!(world.fakes.calls("AbortReservationCancellation"), 1);
    assert_eq!(create(&world, request(1)).await.unwrap(), failed);
}

#[tokio::test]
async fn a_saga_of_one_kind_is_no_resource_of_another() {
    let world = World::new().await;
    let placed = create(&world, request(1)).await.unwrap();
    let other = placed.name.replace("cancellations/", "pointCharges/");
    let asked = world.checkouts.clone().get_point_charge(pb::GetPointChargeRequest { name: other }).await;
    assert_eq!(told(asked), (Code::NotFound, "POINT_CHARGE_NOT_FOUND".into()));
    let other = placed.name.replace("cancellations/", "checkouts/");
    let asked = world.checkouts.clone().get_checkout(pb::GetCheckoutRequest { name: other }).await;
    assert_eq!(told(asked), (Code::NotFound, "CHECKOUT_NOT_FOUND".into()));
    let unknown = format!("cancellations/{}", Uuid::from_u128(9));
    assert_eq!(told(get(&world, &unknown).await), (Code::NotFound, "CANCELLATION_NOT_FOUND".into()));
}

#[tokio::test]
async fn sagas_are_listed_by_kind_and_count_what_they_hold() {
    let world = World::new().await;
    let release = world.fakes.hold("CommitReservationCancellation");
    create(&world, pb::CreateCancellationRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    while world.fakes.calls("CommitReservationCancellation") == 0 {
        tokio::task::yield_now().await;
    }
    let list = |filter: &str| pb::ListSagasRequest { filter: filter.into(), ..Default::default() };
    let found = world.sagas.clone().list_sagas(list("kind = cancellation AND state = RUNNING")).await.unwrap();
    assert_eq!(found.into_inner().sagas.len(), 1);
    let found = world.sagas.clone().list_sagas(list("kind = checkout")).await.unwrap();
    assert!(found.into_inner().sagas.is_empty());
    let counted = world.sagas.clone().get_saga_statistics(pb::GetSagaStatisticsRequest::default()).await.unwrap();
    let group = counted.into_inner().exposures.pop().unwrap();
    assert_eq!((group.kind.as_str(), group.step_id.as_str()), ("cancellation", "commit-cancellation"));
    assert_eq!((group.held_amount, group.held_seat_count), (AMOUNT - FEE, 1));
    release.send(true).unwrap();
}

#[tokio::test]
async fn with_too_many_sagas_under_way_nothing_is_started() {
    let limits = Limits { sagas: 0, ..Limits::default() };
    let world = World::with(Config { limits, ..Config::default() }).await;
    assert_eq!(told(create(&world, request(1)).await), (Code::ResourceExhausted, "OVERLOADED".into()));
}

#[tokio::test]
async fn a_beginning_that_does_not_add_up_parks_the_cancellation() {
    let world = World::new().await;
    world.fakes.lie("BeginReservationCancellation");
    let placed = create(&world, pb::CreateCancellationRequest { wait: seconds(0), ..request(1) }).await.unwrap();
    let name = placed.name.replace("cancellations/", "sagas/");
    loop {
        let saga = world.sagas.clone().get_saga(pb::GetSagaRequest { name: name.clone() }).await.unwrap().into_inner();
        if saga.state() == pb::saga::State::Suspended {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&world, &placed.name).await.unwrap().state(), State::Running);
}
