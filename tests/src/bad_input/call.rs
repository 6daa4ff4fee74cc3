//! Calls of raw bytes, so that it is the server who decodes them, and what may be answered to a bad one.

use std::fmt;
use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full};
use orchestrator::participants::Participant;
use service_kit::refusal::SagaOutcome;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::ServiceExt as _;

/// Longest status, encoded, that surely reaches a client: proxies and clients limit all headers together to 8 KiB.
const LONGEST_STATUS: usize = 4096;

/// Bytes of a message that are shown when something is wrong with the answer to it.
const SHOWN: usize = 600;

/// Everything that one call sends.
#[derive(Clone)]
pub struct Sent {
    pub path: String,
    pub metadata: Vec<(&'static str, String)>,
    pub message: Vec<u8>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, metadata, message } = self;
        write!(f, "{path} {metadata:?} \"{}\"", message[..message.len().min(SHOWN)].escape_ascii())
    }
}

/// Sends it, and waits for the end of the answer, or for the first message of one that says OK.
pub async fn call(server: Participant, sent: &Sent) -> Result<Bytes, Status> {
    let length = u32::try_from(sent.message.len()).unwrap().to_be_bytes();
    let frame = [&[0], &length[..], &sent.message].concat();
    let mut request = http::Request::post(format!("http://skald{}", sent.path)).header("te", "trailers");
    request = request.header("content-type", "application/grpc");
    for (key, value) in &sent.metadata {
        request = request.header(*key, value);
    }
    let request = request.body(Body::new(Full::new(Bytes::from(frame)))).unwrap();
    let answer = AssertUnwindSafe(async {
        let answer = server.oneshot(request).await.expect("a server in this process always answers");
        let (head, mut body) = answer.into_parts();
        if let Some(status) = Status::from_header_map(&head.headers) {
            return Err(status);
        }
        let frame = body.frame().await.expect("an answer has an end").expect("nothing is lost within a process");
        frame.into_data().or_else(|trailers| {
            let trailers = trailers.into_trailers().expect("a frame is data or trailers");
            let status = Status::from_header_map(&trailers).expect("an answer ends with a status");
            if status.code() == Code::Ok { Ok(Bytes::new()) } else { Err(status) }
        })
    });
    answer.catch_unwind().await.unwrap_or_else(|_panic| panic!("it panicked: {sent:?}"))
}

/// Panics unless `status` is how bad input may be answered: with a code that says whose fault it is, and with what was
/// wrong for programs and for people.
pub fn expect_well_formed(status: &Status, sent: &Sent) {
    let shown = || format!("{status:?}\nto {sent:?}");
    if is_of_the_transport(status) {
        return;
    }
    let allowed = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::AlreadyExists,
        Code::PermissionDenied,
        Code::ResourceExhausted,
        Code::FailedPrecondition,
        Code::OutOfRange,
        Code::Aborted,
        Code::Unauthenticated,
    ];
    assert!(allowed.contains(&status.code()), "{}", shown());
    assert!(service_kit::refusal::reason(status).is_some_and(|reason| !reason.is_empty()), "no reason: {}", shown());
    assert!(!status.message().is_empty() && !status.message().chars().any(char::is_control), "{}", shown());
    assert!(status.details().len() + status.message().len() < LONGEST_STATUS, "too long: {}", shown());
    if status.code() == Code::InvalidArgument {
        let violations = violations(status);
        assert!(!violations.is_empty(), "no field is named: {}", shown());
        assert!(violations.iter().all(|(field, problem)| !field.is_empty() && !problem.is_empty()), "{}", shown());
    }
}

/// Of messages that no service has seen: they were too long, or no messages at all.
fn is_of_the_transport(status: &Status) -> bool {
    let (code, message) = (status.code(), status.message());
    let is_too_long = code == Code::OutOfRange && message.contains("decoded message length too large");
    is_too_long || code == Code::Internal && message.starts_with("failed to decode Protobuf message")
}

/// The fields that a status names, with what is wrong with them.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let named = status.get_details_bad_request().into_iter().flat_map(|details| details.field_violations);
    named.map(|violation| (violation.field, violation.description)).collect()
}

/// Whether the refusal was kept for repeats of the same step.
pub fn is_kept(status: &Status) -> bool {
    SagaOutcome::of(status) == Some(SagaOutcome::Refused)
}
