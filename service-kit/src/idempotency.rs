//! Calls that people make, each at most once: the first answer to a `request_id` is kept in the transaction of its
//! effect and given to every repeat. Refusals are not kept: after a top-up the same id may be tried again.

use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::args;
use crate::db::{self, Tx};
use crate::refusal::Fault;

/// The statements of one service. Made by [`idempotency!`](crate::idempotency!).
#[derive(Debug)]
pub struct Idempotency {
    /// Reads a row.
    pub select: &'static str,
    /// Inserts a row.
    pub insert: &'static str,
}

/// The kept answers of the service whose tables start with the given prefix.
#[macro_export]
macro_rules! idempotency {
    ($prefix:literal) => {
        $crate::idempotency::Idempotency {
            select: concat!(
                "select method, request_hash, response from ",
                $prefix,
                "_idempotency where request_id = $1"
            ),
            insert: concat!(
                "insert into ",
                $prefix,
                "_idempotency (request_id, method, request_hash, response, create_time) ",
                "values ($1, $2, $3, $4, $5)"
            ),
        }
    };
}

/// One call of a person.
#[derive(Debug, Clone)]
pub struct Call {
    request_id: Option<Uuid>,
    method: &'static str,
    request_hash: Vec<u8>,
}

impl Call {
    /// The call of `method` with `request`. Without a `request_id` every call is a new one.
    pub fn new(method: &'static str, request_id: Option<Uuid>, request: &impl Message) -> Self {
        Self { request_id, method, request_hash: Sha256::digest(request.encode_to_vec()).to_vec() }
    }
}

impl Idempotency {
    /// Runs `work`, or returns the answer that the same call got before.
    ///
    /// # Errors
    /// Of `work`; `REQUEST_ID_REUSED` when the id stands for another request.
    pub async fn once<R: Message + Default>(
        &self,
        tx: &mut Tx<'_>,
        call: &Call,
        work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let Some(request_id) = call.request_id else {
            return work(tx).await;
        };
        let kept: Option<(String, Vec<u8>, Vec<u8>)> = tx.fetch_optional(self.select, args![request_id]).await?;
        if let Some((method, request_hash, response)) = kept {
            if method != call.method || request_hash != call.request_hash {
                let problem = "was used for another request; take a new one";
                return Err(Fault::Invalid {
                    field: "request_id".into(),
                    problem: problem.into(),
                    reason: "REQUEST_ID_REUSED",
                });
            }
            let corrupt = |error: prost::DecodeError| db::Error::Corrupt {
                column: "response".into(),
                problem: error.to_string(),
            };
            return Ok(R::decode(response.as_slice()).map_err(corrupt)?);
        }
        let response = work(tx).await?;
        let now_ms = tx.now_ms();
        let bytes = response.encode_to_vec();
        let row = args![request_id, call.method, &call.request_hash, &bytes, now_ms];
        tx.execute(self.insert, row).await?;
        Ok(response)
    }
}
