//! What operators see and do.

use pb::saga::step::State as Step;
use pb::saga::{State, step::attempt::Outcome};
use proto::orchestrator::v1 as pb;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{World, clients, refused, request, seconds, told};

pub(crate) async fn placed(world: &World) -> pb::Saga {
    let request = pb::CreateCheckoutRequest { wait: seconds(0), ..request(1) };
    let name = world.create(request).await.unwrap().name;
    get(world, &name.replace("checkouts", "sagas")).await
}

pub(crate) async fn get(world: &World, name: &str) -> pb::Saga {
    let request = pb::GetSagaRequest { name: name.into() };
    world.sagas.clone().get_saga(request).await.unwrap().into_inner()
}

pub(crate) async fn suspend(world: &World, name: &str, version: i64) -> Result<pb::Saga, Status> {
    let request = pb::SuspendSagaRequest { name: name.into(), reason: "let me look".into(), expected_version: version };
    world.sagas.clone().suspend_saga(request).await.map(tonic::Response::into_inner)
}

pub(crate) async fn resume(world: &World, name: &str, version: i64) -> Result<pb::Saga, Status> {
    let request = pb::ResumeSagaRequest { name: name.into(), reason: "looked".into(), expected_version: version };
    world.sagas.clone().resume_saga(request).await.map(tonic::Response::into_inner)
}

pub(crate) async fn end(world: &World, name: &str) -> pb::Saga {
    let request = pb::WatchSagaRequest { name: name.into() };
    let mut versions = world.sagas.clone().watch_saga(request).await.unwrap().into_inner();
    let mut last = None;
    while let Some(version) = versions.message().await.unwrap() {
        last = Some(version);
    }
    last.unwrap()
}

pub(crate) async fn events(world: &World, parent: &str, page_size: i32) -> Vec<pb::SagaEvent> {
    let (mut events, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListSagaEventsRequest { parent: parent.into(), page_size, page_token };
        let page = world.sagas.clone().list_saga_events(request).await.unwrap().into_inner();
        events.extend(page.events);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return events;
        }
    }
}

#[tokio::test]
async fn a_saga_shows_its_steps_with_their_attempts() {
    let world = World::new().await;
    world.fakes.fail("AuthorizePayment", refused("PAYMENT_DECLINED"));
    let saga = end(&world, &placed(&world).await.name).await;
    assert_eq!((saga.state(), saga.kind.as_str()), (State::Compensated, "checkout"));
    assert_eq!(saga.resource, saga.name.replace("sagas", "checkouts"));
    let states: Vec<_> = saga.steps.iter().map(|step| (step.id.as_str(), step.state())).collect();
    let expected = [
        ("lock-reservation", Step::Compensated),
        ("reserve-points", Step::Compensated),
        ("authorize-payment", Step::Refused),
        ("confirm-reservation", Step::Pending),
        ("capture-points", Step::Pending),
        ("capture-payment", Step::Pending),
        ("complete-token", Step::Skipped),
    ];
    assert_eq!(states, expected);
    let step = &saga.steps[2];
    assert_eq!(step.method, "ticketing.payment.v1.PaymentService/AuthorizePayment");
    assert_eq!((step.attempt_count, step.attempts[0].outcome()), (1, Outcome::Refused));
    let back: Vec<_> = saga.steps[0].attempts.iter().map(|attempt| attempt.compensation).collect();
    assert_eq!(back, [false, true]);
}

#[tokio::test]
async fn the_history_tells_the_same_whatever_the_size_of_its_pages() {
    let world = World::new().await;
    world.fakes.fail("ReservePoints", refused("INSUFFICIENT_POINTS"));
    let saga = end(&world, &placed(&world).await.name).await;
    let all = events(&world, &saga.name, 0).await;
    for page_size in [1, 2, 3, 7] {
        assert_eq!(events(&world, &saga.name, page_size).await, all);
    }
    assert!(all.iter().zip(1..).all(|(event, sequence)| event.sequence == sequence && !event.summary.is_empty()));
    assert_eq!((all[0].summary.as_str(), all[0].state()), ("accepted", State::Running));
    let last = all.last().unwrap();
    assert_eq!((last.state(), last.version), (State::Compensated, saga.version));
    let refusal = all.iter().find(|event| event.outcome() == Outcome::Refused).unwrap();
    assert!(refusal.summary.contains("reserve-points was refused"), "{}", refusal.summary);
    assert!(refusal.summary.contains("INSUFFICIENT_POINTS: said no"), "{}", refusal.summary);
}

#[tokio::test]
async fn a_suspended_saga_goes_on_when_it_is_resumed() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let running = placed(&world).await;
    let held = suspend(&world, &running.name, running.version).await.unwrap();
    assert_eq!((held.state(), held.suspended_from()), (State::Suspended, State::Running));
    assert_eq!(held.version, running.version + 1);
    let again = suspend(&world, &running.name, 0).await.unwrap();
    assert_eq!(again.state(), State::Suspended);
    release.send(true).unwrap();
    let going = resume(&world, &running.name, 0).await.unwrap();
    assert_ne!(going.state(), State::Suspended);
    assert_eq!(end(&world, &running.name).await.state(), State::Completed);
    let told = told(resume(&world, &running.name, 0).await);
    assert_eq!(told, (Code::FailedPrecondition, "SAGA_ENDED".into()));
    let words: Vec<_> = events(&world, &running.name, 0).await.into_iter().map(|event| event.reason).collect();
    assert!(words.contains(&"let me look".to_owned()) && words.contains(&"looked".to_owned()));
}

#[tokio::test]
async fn a_verb_holds_only_for_the_version_that_it_was_decided_on() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let running = placed(&world).await;
    let status = suspend(&world, &running.name, running.version + 1).await.unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().metadata["version"], running.version.to_string());
    assert_eq!(told::<()>(Err(status)), (Code::Aborted, "ETAG_MISMATCH".into()));
    assert_eq!(get(&world, &running.name).await, running, "nothing was changed");
    let told = told(resume(&world, &running.name, 0).await);
    assert_eq!(told, (Code::FailedPrecondition, "SAGA_NOT_SUSPENDED".into()));
}

#[tokio::test]
async fn a_saga_that_nobody_drives_takes_a_verb_decided_on_the_version_that_it_shows() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let running = placed(&world).await;
    suspend(&world, &running.name, 0).await.unwrap();
    release.send(true).unwrap();
    while world.shards.driven() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let held = get(&world, &running.name).await;
    let going = resume(&world, &running.name, held.version).await.unwrap();
    assert!(going.version > held.version && going.epoch > held.epoch);
    assert_eq!(end(&world, &running.name).await.state(), State::Completed);
}

#[tokio::test]
async fn whoever_drove_a_saga_before_does_not_refuse_what_it_does_not_know() {
    let world = World::new().await;
    let release = world.fakes.hold("LockReservation");
    let running = placed(&world).await;
    // Another process takes it over for a verb; this one still waits for its call.
    let (participants, journal) = (world.fakes.participants(), world.journal.clone());
    let (config, plans) = (orchestrator::Config::default(), orchestrator::plans::Plans::default());
    let other = orchestrator::start_with(&world.host, config, plans, participants, journal).await;
    let (_, other) = clients(&other.unwrap());
    let request = pb::SuspendSagaRequest { name: running.name.clone(), reason: "a look".into(), expected_version: 0 };
    let held = other.clone().suspend_saga(request).await.unwrap().into_inner();
    assert!(held.version > running.version && held.epoch > running.epoch);
    let going = resume(&world, &running.name, held.version).await.unwrap();
    assert_eq!(going.state(), State::Running);
    let told = told(resume(&world, &running.name, going.version).await);
    assert_eq!(told, (Code::FailedPrecondition, "SAGA_NOT_SUSPENDED".into()));
    release.send(true).unwrap();
    assert_eq!(end(&world, &running.name).await.state(), State::Completed);
}

#[tokio::test]
async fn an_aborted_saga_takes_all_back_and_a_retry_of_nothing_is_fine() {
    let world = World::new().await;
    let _never = world.fakes.hold("ReservePoints");
    let running = placed(&world).await;
    let retry = pb::RetrySagaRequest { name: running.name.clone(), reason: "now".into(), expected_version: 0 };
    world.sagas.clone().retry_saga(retry).await.unwrap();
    let abort = pb::AbortSagaRequest { name: running.name.clone(), reason: "enough".into(), expected_version: 0 };
    let stopped = world.sagas.clone().abort_saga(abort).await.unwrap().into_inner();
    assert_eq!(stopped.state(), State::Compensating);
    assert_eq!(end(&world, &running.name).await.state(), State::Compensated);
}

fn resolve(saga: &pb::Saga) -> pb::ResolveSagaStepRequest {
    pb::ResolveSagaStepRequest {
        name: saga.name.clone(),
        step_id: "lock-reservation".into(),
        state: Step::Refused.into(),
        reason: "the seats are free".into(),
        expected_version: saga.version,
        evidence: "ticket 12".into(),
    }
}

#[tokio::test]
async fn a_step_is_settled_by_hand_only_with_reason_evidence_and_version() {
    let world = World::new().await;
    let _never = world.fakes.hold("LockReservation");
    let running = placed(&world).await;
    type Spoil = fn(&mut pb::ResolveSagaStepRequest);
    let table: &[(Spoil, &str)] = &[
        (|r| r.name.clear(), "name"),
        (|r| r.step_id = "no-such-step".into(), "step_id"),
        (|r| r.state = Step::Running.into(), "state"),
        (|r| r.reason = " ".into(), "reason"),
        (|r| r.reason = "x".repeat(501), "reason"),
        (|r| r.evidence.clear(), "evidence"),
        (|r| r.expected_version = 0, "expected_version"),
        (|r| r.expected_version = -1, "expected_version"),
    ];
    for (spoil, field) in table {
        let mut request = resolve(&running);
        spoil(&mut request);
        let status = world.sagas.clone().resolve_saga_step(request).await.unwrap_err();
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, *field, "{status:?}");
    }
    let told = told(world.sagas.clone().resolve_saga_step(resolve(&running)).await);
    assert_eq!(told, (Code::FailedPrecondition, "STEP_IN_FLIGHT".into()));
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new().await;
    let name = format!("sagas/{}", uuid::Uuid::nil());
    assert_eq!(told(suspend(&world, &name, 0).await), (Code::NotFound, "SAGA_NOT_FOUND".into()));
    let request = pb::ListSagaEventsRequest { parent: name, ..Default::default() };
    let told = told(world.sagas.clone().list_saga_events(request).await);
    assert_eq!(told, (Code::NotFound, "SAGA_NOT_FOUND".into()));
}
