//! Calls that people make, each at most once: the first answer to a `request_id` is kept in the transaction of its
//! effect and given to every repeat. Refusals are not kept: after a top-up the same id may be tried again.

use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::db::{self, Tx};
use crate::refusal::Fault;
use crate::{args, crash_point};

/// The statements of one service. Made by [`idempotency!`](crate::idempotency!).
#[derive(Debug)]
pub struct Idempotency {
    /// Reads a row.
    pub select: &'static str,
    /// Inserts a row unless there is one.
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
                "values ($1, $2, $3, $4, $5) on conflict do nothing"
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
    /// Does `work`, or returns the answer that the same call got before. The unit of work is this call alone: what it
    /// wrote earlier is lost when the call turns out to be a repeat.
    ///
    /// As at the barrier, the work goes first and the row last: a call that comes once needs no look beforehand, and of
    /// two that come at once the second finds the row of the first, whatever its own work came to.
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
        let own = match work(tx).await {
            Ok(response) => {
                let (now_ms, bytes) = (tx.now_ms(), response.encode_to_vec());
                crash_point!("request.after_effect", call.method, "");
                let row = args![request_id, call.method, &call.request_hash, &bytes, now_ms];
                if tx.execute(self.insert, row).await? == 1 {
                    crash_point!("request.after_row", call.method, "");
                    return Ok(response);
                }
                db::Error::Unavailable("the kept answer was being purged".into()).into()
            }
            Err(fault) if fault.is_outage() => return Err(fault),
            Err(fault) => fault,
        };
        tx.restart().await?;
        match tx.fetch_optional(self.select, args![request_id]).await? {
            Some(kept) => repeated(kept, call),
            None => Err(own),
        }
    }
}

/// The answer to a call whose row is there already.
fn repeated<R: Message + Default>(kept: Kept, call: &Call) -> Result<R, Fault> {
    let (method, request_hash, response) = kept;
    if method != call.method || request_hash != call.request_hash {
        return Err(Fault::Invalid {
            field: "request_id".into(),
            problem: "was used for another request; take a new one".into(),
            reason: "REQUEST_ID_REUSED",
        });
    }
    let corrupt =
        |error: prost::DecodeError| db::Error::Corrupt { column: "response".into(), problem: error.to_string() };
    Ok(R::decode(response.as_slice()).map_err(corrupt)?)
}

/// A stored row: method, hash of the request, answer.
type Kept = (String, Vec<u8>, Vec<u8>);
