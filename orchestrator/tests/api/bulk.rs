//! One verb for many sagas, as operators ask for it and see it through.

use std::time::Duration;

use orchestrator::Config;
use orchestrator::plans::Plans;
use pb::bulk_operation::Verb;
use pb::bulk_operation_result::State as Result;
use pb::saga::State;
use pb::saga_event::Kind;
use proto::orchestrator::v1 as pb;
use service_kit::refusal::Fault;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::operate::{end, events, get};
use crate::world::{OTHER, World, patient, reason_of, request, seconds, told};

/// A world in which bulk operations do not dawdle.
async fn quick() -> World {
    World::with(Config { bulk_per_second: 1_000, ..patient() }).await
}

async fn placed(world: &World, number: u128) -> pb::Saga {
    let request = pb::CreateCheckoutRequest { wait: seconds(0), ..request(number) };
    let name = world.create(request).await.unwrap().name;
    get(world, &name.replace("checkouts", "sagas")).await
}

fn wanted(number: u128, verb: Verb, filter: &str) -> pb::StartBulkOperationRequest {
    pb::StartBulkOperationRequest {
        filter: filter.into(),
        verb: verb.into(),
        reason: "the bank is back".into(),
        request_id: Uuid::from_u128(number).to_string(),
        validate_only: false,
    }
}

async fn start(
    world: &World,
    request: pb::StartBulkOperationRequest,
) -> std::result::Result<pb::BulkOperation, Status> {
    world.sagas.clone().start_bulk_operation(request).await.map(tonic::Response::into_inner)
}

async fn look(world: &World, name: &str) -> pb::BulkOperation {
    let request = pb::GetBulkOperationRequest { name: name.into() };
    world.sagas.clone().get_bulk_operation(request).await.unwrap().into_inner()
}

/// The operation when it has ended.
async fn ended(world: &World, name: &str) -> pb::BulkOperation {
    for _ in 0..2_000 {
        let operation = look(world, name).await;
        if operation.end_time.is_some() {
            return operation;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it does not end: {:?}", look(world, name).await);
}

async fn run(world: &World, request: pb::StartBulkOperationRequest) -> pb::BulkOperation {
    ended(world, &start(world, request).await.unwrap().name).await
}

fn counts(operation: &pb::BulkOperation) -> (i64, i64, i64) {
    (operation.matched_count, operation.applied_count, operation.refused_count)
}

async fn results(world: &World, parent: &str, page_size: i32) -> Vec<pb::BulkOperationResult> {
    let (mut results, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListBulkOperationResultsRequest { parent: parent.into(), page_size, page_token };
        let page = world.sagas.clone().list_bulk_operation_results(request).await.unwrap().into_inner();
        results.extend(page.results);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return results;
        }
    }
}

#[tokio::test]
async fn all_that_a_filter_finds_are_suspended_and_resumed_each_with_its_result() {
    let world = quick().await;
    let ask_later = Fault::Pending(Duration::from_secs(20)).into_step_status("ticketing.concert.v1");
    world.fakes.fail("LockReservation", ask_later);
    let mut sagas = Vec::new();
    // More than are looked for at a time.
    for number in 0..120 {
        sagas.push(placed(&world, number).await);
    }
    let parked = run(&world, wanted(1, Verb::Suspend, "state = RUNNING")).await;
    assert_eq!(counts(&parked), (120, 120, 0));
    let all = results(&world, &parked.name, 0).await;
    assert_eq!(all.len(), 120);
    assert!(all.iter().all(|result| result.state() == Result::Applied && result.status.is_none()));
    assert_eq!(results(&world, &parked.name, 7).await, all, "whatever the size of its pages");
    assert!(all.iter().map(|result| &result.saga).is_sorted());

    world.fakes.heal("LockReservation");
    let going = run(&world, wanted(2, Verb::Resume, "kind = checkout AND state = SUSPENDED")).await;
    assert_eq!(counts(&going), (120, 120, 0));
    for saga in &sagas {
        assert_eq!(end(&world, &saga.name).await.state(), State::Completed);
    }
    let acts: Vec<_> = events(&world, &sagas[7].name, 0).await;
    let acts = acts.iter().filter(|event| event.kind() == Kind::Intervention);
    let who: Vec<_> = acts.map(|event| (event.actor.clone(), event.reason.as_str())).collect();
    let by = |operation: &pb::BulkOperation| format!("operator, {}", operation.name);
    assert_eq!(who, [(by(&parked), "the bank is back"), (by(&going), "the bank is back")]);
}

#[tokio::test]
async fn the_same_request_is_the_same_operation() {
    let world = quick().await;
    let _never = world.fakes.hold("LockReservation");
    placed(&world, 1).await;
    let first = run(&world, wanted(1, Verb::Suspend, "state = RUNNING")).await;
    placed(&world, 2).await;
    assert_eq!(start(&world, wanted(1, Verb::Suspend, "state = RUNNING")).await.unwrap(), first);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(look(&world, &first.name).await, first, "it does not run again");
    for other in [wanted(1, Verb::Resume, "state = RUNNING"), wanted(1, Verb::Suspend, "kind = checkout")] {
        assert_eq!(told(start(&world, other).await), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    }
}

#[tokio::test]
async fn what_a_saga_refuses_is_its_result_and_does_not_keep_the_others() {
    let world = quick().await;
    let _never = world.fakes.hold("CapturePoints");
    let decided = placed(&world, 1).await;
    while get(&world, &decided.name).await.state() != State::Completing {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let _never = world.fakes.hold("LockReservation");
    let running = placed(&world, 2).await;
    let stopped = run(&world, wanted(1, Verb::Abort, "kind = checkout")).await;
    assert_eq!(counts(&stopped), (2, 1, 1));
    let all = results(&world, &stopped.name, 0).await;
    let of = |saga: &pb::Saga| all.iter().find(|result| result.saga == saga.name).unwrap();
    assert_eq!(of(&running).state(), Result::Applied);
    assert_eq!(of(&decided).state(), Result::Refused);
    assert_eq!(reason_of(of(&decided).status.as_ref()), "PAST_PIVOT");
}

#[tokio::test]
async fn only_open_sagas_that_were_there_before_and_fit_are_taken() {
    let world = World::with(Config { bulk_per_second: 5, ..patient() }).await;
    // This one has ended.
    world.ended(1).await;
    let _never = world.fakes.hold("LockReservation");
    let mut of_other = request(2);
    of_other.checkout.as_mut().unwrap().customer = OTHER.into();
    let of_other = world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..of_other }).await.unwrap();
    let mine = placed(&world, 3).await;
    let another = placed(&world, 4).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let filter = format!("customer = \"{}\"", crate::world::CUSTOMER);
    let operation = start(&world, wanted(1, Verb::Suspend, &filter)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let later = placed(&world, 5).await;
    let operation = ended(&world, &operation.name).await;
    assert_eq!(counts(&operation), (2, 2, 0));
    for (name, state) in [
        (mine.name, State::Suspended),
        (another.name, State::Suspended),
        (later.name, State::Running),
        (of_other.name.replace("checkouts", "sagas"), State::Running),
    ] {
        assert_eq!(get(&world, &name).await.state(), state, "{name}");
    }
}

#[tokio::test]
async fn a_saga_that_has_changed_since_it_was_found_is_left_alone() {
    // Slow enough to get in between.
    let world = World::with(Config { bulk_per_second: 2, ..patient() }).await;
    let _never = world.fakes.hold("LockReservation");
    let mut sagas = Vec::new();
    for number in 0..4 {
        sagas.push(placed(&world, number).await);
    }
    let operation = start(&world, wanted(1, Verb::Abort, "state = RUNNING")).await.unwrap();
    while look(&world, &operation.name).await.matched_count < 4 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // The last one that it comes to, by its id.
    let last = sagas.iter().map(|saga| saga.name.clone()).max().unwrap();
    crate::operate::suspend(&world, &last, 0).await.unwrap();
    let operation = ended(&world, &operation.name).await;
    assert_eq!(counts(&operation), (4, 3, 1));
    let all = results(&world, &operation.name, 0).await;
    assert_eq!(reason_of(all[3].status.as_ref()), "FILTER_NOT_MET");
    assert_eq!(get(&world, &last).await.state(), State::Suspended, "an abort would have been allowed");
}

#[tokio::test]
async fn an_operation_can_be_ended_before_it_is_through() {
    let world = World::with(Config { bulk_per_second: 4, ..patient() }).await;
    let _never = world.fakes.hold("LockReservation");
    for number in 0..12 {
        placed(&world, number).await;
    }
    let operation = start(&world, wanted(1, Verb::Suspend, "state = RUNNING")).await.unwrap();
    while look(&world, &operation.name).await.applied_count < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let request = pb::CancelBulkOperationRequest { name: operation.name.clone() };
    let cancelled = world.sagas.clone().cancel_bulk_operation(request.clone()).await.unwrap().into_inner();
    assert!(cancelled.cancel_time.is_some() && cancelled.end_time.is_none());
    let over = ended(&world, &operation.name).await;
    assert!(over.applied_count < 12 && over.cancel_time == cancelled.cancel_time, "{over:?}");
    let all = results(&world, &operation.name, 0).await;
    let pending = all.iter().filter(|result| result.state() == Result::Pending).count();
    assert_eq!(i64::try_from(pending).unwrap(), 12 - over.applied_count);
    let again = world.sagas.clone().cancel_bulk_operation(request).await.unwrap().into_inner();
    assert_eq!(again, over, "what has ended stays as it is");
    let suspended = pb::ListSagasRequest { filter: "state = SUSPENDED".into(), ..Default::default() };
    let suspended = world.sagas.clone().list_sagas(suspended).await.unwrap().into_inner().sagas.len();
    assert_eq!(i64::try_from(suspended).unwrap(), over.applied_count, "what it has done stays done");
}

#[tokio::test]
async fn a_short_operation_gets_through_beside_a_long_one() {
    let world = World::with(Config { bulk_per_second: 20, ..patient() }).await;
    let _never = world.fakes.hold("LockReservation");
    for number in 0..200 {
        placed(&world, number).await;
    }
    let mut one = request(1_000);
    one.checkout.as_mut().unwrap().customer = OTHER.into();
    world.create(pb::CreateCheckoutRequest { wait: seconds(0), ..one }).await.unwrap();
    let long =
        start(&world, wanted(1, Verb::Retry, &format!("customer = \"{}\"", crate::world::CUSTOMER))).await.unwrap();
    let short = run(&world, wanted(2, Verb::Suspend, &format!("customer = \"{OTHER}\""))).await;
    assert_eq!(counts(&short), (1, 1, 0));
    assert!(look(&world, &long.name).await.end_time.is_none());
}

#[tokio::test]
async fn several_processes_take_each_saga_once() {
    let world = quick().await;
    let _never = world.fakes.hold("LockReservation");
    // As the first one, they look every second for what nobody works on.
    for _ in 0..3 {
        let config = Config { bulk_per_second: 1_000, ..patient() };
        let (fakes, journal) = (world.fakes.participants(), world.journal.clone());
        drop(orchestrator::start_with(&world.host, config, Plans::default(), fakes, journal).await.unwrap());
    }
    let mut sagas = Vec::new();
    for number in 0..60 {
        sagas.push(placed(&world, number).await);
    }
    let mut operations = Vec::new();
    for number in 0..8 {
        operations.push(start(&world, wanted(number, Verb::Suspend, "kind = checkout")).await.unwrap().name);
    }
    for name in &operations {
        let over = ended(&world, name).await;
        let told: Vec<_> =
            results(&world, name, 0).await.into_iter().filter_map(|result| result.status).take(2).collect();
        assert_eq!(counts(&over), (60, 60, 0), "what is so already is fine: {told:?}");
    }
    for saga in &sagas {
        let acts = events(&world, &saga.name, 0).await;
        let acts = acts.iter().filter(|event| event.kind() == Kind::Intervention).count();
        assert_eq!(acts, 1, "{}", saga.name);
    }
}

#[tokio::test]
async fn operations_are_listed_newest_first() {
    let world = quick().await;
    let mut names = Vec::new();
    for number in 0..5 {
        names.push(start(&world, wanted(number, Verb::Retry, "state = RUNNING")).await.unwrap().name);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    names.reverse();
    for page_size in [0, 1, 2, 5] {
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListBulkOperationsRequest { page_size, page_token };
            let page = world.sagas.clone().list_bulk_operations(request).await.unwrap().into_inner();
            listed.extend(page.bulk_operations.into_iter().map(|operation| operation.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, names, "page size {page_size}");
    }
}

#[tokio::test]
async fn a_trial_counts_and_does_nothing() {
    let world = quick().await;
    let _never = world.fakes.hold("LockReservation");
    for number in 0..3 {
        placed(&world, number).await;
    }
    let trial = pb::StartBulkOperationRequest { validate_only: true, ..wanted(1, Verb::Abort, "state = RUNNING") };
    let counted = start(&world, trial).await.unwrap();
    assert_eq!((counted.matched_count, counted.name.as_str()), (3, ""));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let list = pb::ListBulkOperationsRequest::default();
    assert!(world.sagas.clone().list_bulk_operations(list).await.unwrap().into_inner().bulk_operations.is_empty());
    let running = pb::ListSagasRequest { filter: "state = RUNNING".into(), ..Default::default() };
    assert_eq!(world.sagas.clone().list_sagas(running).await.unwrap().into_inner().sagas.len(), 3);
}

#[tokio::test]
async fn what_an_operation_lacks_is_named() {
    let world = quick().await;
    type Spoil = fn(&mut pb::StartBulkOperationRequest);
    let table: &[(Spoil, &str, &str)] = &[
        (|r| r.filter = " ".into(), "filter", "is required"),
        (|r| r.filter = "state = COMPLETED".into(), "filter", "have ended"),
        (|r| r.filter = "colour = red".into(), "filter", "none of"),
        (|r| r.verb = 0, "verb", "is required"),
        (|r| r.verb = 99, "verb", "is required"),
        (|r| r.reason.clear(), "reason", "is required"),
        (|r| r.reason = "x".repeat(501), "reason", "longer"),
        (|r| r.request_id.clear(), "request_id", "is required"),
        (|r| r.request_id = "again".into(), "request_id", "UUID"),
    ];
    for (spoil, field, problem) in table {
        let mut request = wanted(1, Verb::Retry, "state = RUNNING");
        spoil(&mut request);
        let status = start(&world, request).await.unwrap_err();
        let violation = &status.get_details_bad_request().unwrap().field_violations[0];
        assert_eq!((status.code(), violation.field.as_str()), (Code::InvalidArgument, *field));
        assert!(violation.description.contains(problem), "{}", violation.description);
    }
    let name = format!("bulkOperations/{}", Uuid::nil());
    let missing = (Code::NotFound, "BULK_OPERATION_NOT_FOUND".to_owned());
    let mut sagas = world.sagas.clone();
    assert_eq!(told(sagas.get_bulk_operation(pb::GetBulkOperationRequest { name: name.clone() }).await), missing);
    assert_eq!(told(sagas.cancel_bulk_operation(pb::CancelBulkOperationRequest { name: name.clone() }).await), missing);
    let request = pb::ListBulkOperationResultsRequest { parent: name, ..Default::default() };
    assert_eq!(told(sagas.list_bulk_operation_results(request).await), missing);
}
