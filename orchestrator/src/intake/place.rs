//! Starts a saga, whatever its kind, or finds the one that the same request started, and waits for its outcome.

use std::sync::Arc;

use saga::Phase;
use service_kit::crash_point;
use service_kit::refusal::Fault;

use super::order::Order;
use crate::desk::Desk;
use crate::faults;
use crate::journal::{Accepted, Record};
use crate::runner::NewSaga;
use crate::status::SAGAS;

/// The saga once its outcome is decided, or as it stands when the caller has waited long enough.
pub(crate) async fn place(desk: &Desk, order: Order) -> Result<Arc<Record>, Fault> {
    let Order { new, wait } = order;
    let new = NewSaga { definition: desk.plans.newest(new.definition), ..new };
    let (id, hash) = (new.id, new.request_hash.clone());
    let mut follow = desk.follow(id);
    let known = match desk.shards.accept(new).await.map_err(faults::of_runner)? {
        Accepted::Existing(record) if record.request_hash != hash => return Err(reused()),
        Accepted::Existing(record) => Some(Arc::new(*record)),
        Accepted::New => follow.hint(),
    };
    let answer = match known.clone().filter(|known| is_answer(known) || wait.is_zero()) {
        Some(known) => Some(known),
        None => {
            let waiting = tokio::time::timeout(wait, follow.until(is_answer));
            desk.stop.run_until_cancelled(waiting).await.and_then(Result::ok)
        }
    };
    let answer = match answer {
        Some(answer) => Ok(answer),
        // A saga that was found is durable, so whatever happens now, that is no failure.
        None => desk.load(&SAGAS, id).await.map(Arc::new).or_else(|fault| known.ok_or(fault)),
    };
    crash_point!("accept.before_reply");
    answer
}

/// Whether the same request id has started a saga already.
pub(crate) async fn is_known(desk: &Desk, order: &Order) -> Result<bool, Fault> {
    let known = desk.shards.load(order.new.id).await.map_err(faults::of_journal)?;
    Ok(known.is_some())
}

/// Whether a waiting caller has his answer: it is his, or all is taken back.
fn is_answer(record: &Record) -> bool {
    let saga = &record.saga;
    saga.is_terminal() || saga.phase() == Some(Phase::Completing)
}

fn reused() -> Fault {
    Fault::Invalid {
        field: "request_id".into(),
        problem: "was used before for something else; take a new one".into(),
        reason: "REQUEST_ID_REUSED",
    }
}
