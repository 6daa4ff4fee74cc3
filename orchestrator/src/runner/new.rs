//! A saga that somebody asks for.

use std::time::Duration;

use saga::StepIndex;
use serde::Serialize;
use service_kit::ids;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::plans::Definition;

/// Four tries of four steps with their back-off fit in.
const UNDECIDED_FOR: Duration = Duration::from_secs(30);

/// What a saga is started with.
#[derive(Debug, Clone)]
pub struct NewSaga {
    /// Its id, which follows from the request.
    pub id: Uuid,
    /// Its kind and version.
    pub definition: &'static dyn Definition,
    /// Whose it is: `customers/{customer}`; empty when nobody's.
    pub subject: String,
    /// What it is about, such as `reservations/{reservation}`; may be empty.
    pub reference: String,
    /// Hash of all of the request that the saga depends on.
    pub request_hash: Vec<u8>,
    /// The plan's input.
    pub input: Vec<u8>,
    /// Steps that the input makes needless.
    pub skip: Vec<StepIndex>,
    /// How long it may stay undecided.
    pub undecided_for: Duration,
}

impl NewSaga {
    /// The saga that `subject` starts with a request of this id: the same kind, subject and id always mean the same saga.
    pub fn new(
        definition: &'static dyn Definition,
        subject: impl Into<String>,
        request_id: Uuid,
        input: &impl Serialize,
    ) -> Self {
        let subject = subject.into();
        let input = serde_json::to_vec(input).expect("plain text and numbers always serialize");
        Self {
            id: ids::saga_id(definition.plan().kind, &subject, request_id),
            definition,
            subject,
            reference: String::new(),
            request_hash: Sha256::digest(&input).to_vec(),
            input,
            skip: Vec::new(),
            undecided_for: UNDECIDED_FOR,
        }
    }
}
