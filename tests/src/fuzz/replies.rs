//! What a participant answers: the first bytes choose the step, the rest is its reply or its status. Whatever it is, the
//! saga makes something of it, and what it keeps of a reply fits into the saga.

use orchestrator::journal::Record;
use orchestrator::participants::classify;
use orchestrator::plans::{Plans, Read};
use prost::Message as _;
use proto::{concert::v1 as concert, customer::v1 as customer, payment::v1 as payment};
use saga::{Direction, Moment, StepIndex};
use service_kit::refusal::{Refusal, SagaOutcome};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use uuid::Uuid;

const SAGA: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);

pub(super) fn run(data: &[u8]) {
    let [plan, step, direction, bytes @ ..] = data else { return };
    let plans = super::sagas::plans();
    let plan = plans[usize::from(*plan) % plans.len()];
    let definition = Plans::default().find(plan.kind, plan.version).unwrap();
    let step = StepIndex(usize::from(*step) % plan.steps().len());
    let direction = if direction % 2 == 0 { Direction::Forward } else { Direction::Compensation };
    let at = Moment { now_ms: 0, jitter: 0 };
    let record = Record {
        id: SAGA,
        kind: plan.kind.into(),
        plan_version: plan.version,
        subject: "customers/1".into(),
        reference: "reservations/1".into(),
        request_hash: vec![1],
        input: b"{\"customer\":\"customers/1\",\"reservation\":\"reservations/1\",\"method\":1,\"amount\":50000,\
            \"processor_token\":\"tok\",\"last_four\":\"4242\"}"
            .to_vec(),
        saga: saga::start(plan, 30_000, &[], at).unwrap().saga,
        version: 1,
        epoch: 1,
        owner: Uuid::nil(),
        create_time: 0,
        update_time: 0,
    };
    if let Ok(reply) = definition.reply(Read { record: &record, step, direction, bytes }) {
        assert!(reply.skip.iter().all(|skipped| skipped.0 < plan.steps().len()), "{reply:?}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let saga = format!("sagas/{SAGA}");
    let locked = concert::LockReservationResponse { saga: saga.clone(), ..Default::default() }.encode_to_vec();
    let reserved = customer::ReservePointsResponse { saga: saga.clone(), ..Default::default() }.encode_to_vec();
    let authorized = payment::AuthorizePaymentResponse { saga, ..Default::default() }.encode_to_vec();
    let seed = |step: u8, reply: &[u8]| [&[0, step, 0], reply].concat();
    vec![seed(0, &locked), seed(1, &reserved), seed(2, &authorized), vec![1, 0, 1], vec![2, 2, 0]]
}

/// A code, a trailer and details of any kind.
pub(super) fn status(data: &[u8]) {
    let [code, trailer, details @ ..] = data else { return };
    let mut metadata = MetadataMap::new();
    let (word, details) = details.split_at(usize::from(*trailer).min(details.len()));
    if let Ok(value) = word.try_into() {
        metadata.insert("saga-outcome", value);
    }
    let code = Code::from_i32(i32::from(*code % 17));
    let status = Status::with_details_and_metadata(code, "said", details.to_vec().into(), metadata);
    let outcome = classify(&status);
    // Only its own word says that nothing happened.
    if !matches!(SagaOutcome::of(&status), Some(SagaOutcome::NotApplied)) {
        assert_ne!(outcome.class(), saga::Class::NotExecuted, "{status:?}");
    }
    drop(service_kit::refusal::reason(&status));
}

pub(super) fn status_seeds() -> Vec<Vec<u8>> {
    let refusal = Refusal::precondition("SEAT_TAKEN", "somebody has it").with("seat", "A-1").into_status("concert");
    let seed = |word: &str| {
        let length = u8::try_from(word.len()).unwrap();
        [&[9, length], word.as_bytes(), refusal.details()].concat()
    };
    ["refused", "not-applied", "pending", "", "other"].map(seed).into()
}
