//! What a message of a saga says about itself, read from its metadata. What is done with it is the barrier's affair.

use prost::Message;
use sha2::{Digest as _, Sha256};
use tonic::Request;
use uuid::Uuid;

use crate::refusal::Fault;

/// Metadata that names the step; the same for its compensation.
pub const SAGA_STEP: &str = "saga-step";
/// Metadata with the epoch of the replica that sends.
pub const SAGA_EPOCH: &str = "saga-epoch";

/// One message of a saga: which row it belongs to and what it says.
#[derive(Debug, Clone)]
pub struct Operation {
    /// The aggregate that the row sits beside.
    pub aggregate: Uuid,
    /// The saga.
    pub saga: Uuid,
    /// The id of the step.
    pub step: String,
    /// Hash of the request, so that one step cannot mean two things.
    pub request_hash: Vec<u8>,
    /// The sender's epoch, for people who look at the row.
    pub epoch: i64,
}

impl Operation {
    /// Reads the saga's metadata from a request about `aggregate`.
    ///
    /// # Errors
    /// A violation that names the missing or malformed metadata.
    pub fn of<M: Message>(request: &Request<M>, saga: Uuid, aggregate: Uuid) -> Result<Self, Fault> {
        let step = metadata(request, SAGA_STEP)?;
        if step.is_empty() || step.len() > 64 {
            return Err(Fault::field(SAGA_STEP, "must be the id of a step, 1 to 64 characters"));
        }
        let epoch = metadata(request, SAGA_EPOCH)?;
        let epoch = epoch.parse().map_err(|_| Fault::field(SAGA_EPOCH, "must be a decimal number"))?;
        let request_hash = Sha256::digest(request.get_ref().encode_to_vec()).to_vec();
        Ok(Self { aggregate, saga, step: step.to_owned(), request_hash, epoch })
    }
}

fn metadata<'a, M>(request: &'a Request<M>, key: &str) -> Result<&'a str, Fault> {
    let value = request.metadata().get(key).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| Fault::field(key, "is required in the metadata of a saga's request"))
}
