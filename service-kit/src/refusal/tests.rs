//! Every kind of answer, as a caller finds it at the other end.

use super::*;

const DOMAIN: &str = "ticketing.test.v1";

/// The answer as it arrives: through the headers of HTTP and back.
fn sent(status: Status) -> Status {
    let answer = status.into_http::<()>();
    Status::from_header_map(answer.headers()).unwrap()
}

fn info(status: &Status) -> (String, String, Vec<(String, String)>) {
    let info = status.get_details_error_info().unwrap();
    let mut metadata: Vec<_> = info.metadata.into_iter().collect();
    metadata.sort();
    (info.reason, info.domain, metadata)
}

#[test]
fn a_refusal_arrives_whole_and_survives_being_kept() {
    for code in (1..=16).map(Code::from_i32) {
        let refusal = Refusal::new(code, "SEAT_TAKEN", "seat A-12 is taken: 좌석").with("seat", "A-12").with("left", 3);
        for (refusal, delay) in
            [(refusal.clone(), None), (refusal.retry_after(Duration::from_millis(1500)), Some(1500))]
        {
            let status = refusal.into_status(DOMAIN);
            for arrived in [sent(status.clone()), sent(from_bytes(&to_bytes(&status)).unwrap())] {
                assert_eq!((arrived.code(), arrived.message()), (code, "seat A-12 is taken: 좌석"));
                let facts = vec![("left".to_owned(), "3".to_owned()), ("seat".to_owned(), "A-12".to_owned())];
                assert_eq!(info(&arrived), ("SEAT_TAKEN".to_owned(), DOMAIN.to_owned(), facts));
                assert_eq!(reason(&arrived).as_deref(), Some("SEAT_TAKEN"));
                let told = arrived.get_details_retry_info().and_then(|info| info.retry_delay);
                assert_eq!(told, delay.map(Duration::from_millis));
            }
        }
    }
}

#[test]
fn a_wrong_field_is_named_for_people_and_programs_and_says_nothing_about_the_step() {
    let fault = Fault::field("customer", "must be a UUID");
    let arrived = sent(fault.clone().into_status(DOMAIN));
    assert_eq!((arrived.code(), arrived.message()), (Code::InvalidArgument, "customer must be a UUID"));
    let violations = arrived.get_details_bad_request().unwrap().field_violations;
    assert_eq!((violations[0].field.as_str(), violations[0].description.as_str()), ("customer", "must be a UUID"));
    assert_eq!(info(&arrived).2, [("field".to_owned(), "customer".to_owned())]);
    assert_eq!(SagaOutcome::of(&sent(fault.into_step_status(DOMAIN))), None);
}

#[test]
fn the_trailer_tells_what_became_of_the_step() {
    let store = |error: db::Error| Fault::Store(error);
    let text = || "secret path".to_owned();
    let corrupt = db::Error::Corrupt { column: text(), problem: text() };
    let cases = [
        (Refusal::precondition("NO", "no").into(), Code::FailedPrecondition, Some(SagaOutcome::Refused)),
        (Refusal::not_found("NO_SUCH", "seats/1").into(), Code::NotFound, Some(SagaOutcome::Refused)),
        (Refusal::new(Code::Unavailable, "NOT_NOW", "no").into(), Code::Unavailable, Some(SagaOutcome::NotApplied)),
        (Fault::Pending(Duration::from_secs(2)), Code::Unavailable, Some(SagaOutcome::Pending)),
        (store(db::Error::Unavailable(text())), Code::Unavailable, Some(SagaOutcome::NotApplied)),
        (store(db::Error::Constraint(text())), Code::Internal, Some(SagaOutcome::NotApplied)),
        (store(db::Error::Bug(text())), Code::Internal, Some(SagaOutcome::NotApplied)),
        (store(corrupt), Code::Internal, Some(SagaOutcome::NotApplied)),
        // The one failure after which the effect may be there.
        (store(db::Error::InDoubt(text())), Code::Unknown, None),
    ];
    for (fault, code, outcome) in cases {
        let fault: Fault = fault;
        let arrived = sent(fault.clone().into_step_status(DOMAIN));
        assert_eq!((arrived.code(), SagaOutcome::of(&arrived)), (code, outcome), "{fault:?}");
        assert!(!arrived.message().contains("secret"), "{arrived:?}");
        let plain = sent(fault.into_status(DOMAIN));
        assert_eq!((plain.code(), SagaOutcome::of(&plain)), (code, None));
    }
}

#[test]
fn an_unknown_trailer_and_kept_bytes_that_are_no_status_are_not_guessed_at() {
    let mut status = Status::internal("x");
    status.metadata_mut().insert(SAGA_OUTCOME, MetadataValue::from_static("maybe"));
    assert_eq!(SagaOutcome::of(&status), None);
    assert!(matches!(from_bytes(&[0xff, 1]), Err(db::Error::Corrupt { .. })));
}
