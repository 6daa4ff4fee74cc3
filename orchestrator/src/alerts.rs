//! Events for those who watch over sagas: one was parked, or goes on again. The runner announces what an event of the
//! saga led to; the journal what it finds in its own rows.

use prost::Message as _;
use proto::event::v1 as event;
use saga::{Fact, Failure, State, Verb};
use tonic::Code;
use uuid::Uuid;

use crate::journal::Record;
use crate::plans::Announced;
use crate::status::wire;

/// The event of a saga that waits for a person.
pub(crate) const SUSPENDED: &str = "ticketing.saga.suspended.v1";
/// The event of one that does so no longer.
pub(crate) const RESUMED: &str = "ticketing.saga.resumed.v1";
/// Why a saga is parked whose row cannot be read.
pub(crate) const UNREADABLE: &str = "ROW_UNREADABLE";

/// Nobody asked for it.
const ORCHESTRATOR: &str = "orchestrator";

/// A saga was parked at `step`.
pub(crate) fn suspended(record: &Record, step: &str) -> Announced {
    let failure = wire::cause(&record.saga);
    tracing::error!(saga.id = %record.id, step, "the saga is suspended and needs a person");
    let (saga, kind) = (name(record.id), record.kind.clone());
    parked(event::SagaSuspended { saga, kind, step: step.to_owned(), failure })
}

/// A saga whose row cannot be read was parked.
pub(crate) fn unreadable(id: Uuid, kind: String, problem: &str) -> Announced {
    let failure = Failure::new(Code::DataLoss.into(), UNREADABLE, problem);
    parked(event::SagaSuspended { saga: name(id), kind, step: String::new(), failure: Some(wire::failure(&failure)) })
}

/// A saga was let go, as `facts` tell: by whom, and to which state.
pub(crate) fn resumed(record: &Record, facts: &[Fact]) -> Announced {
    let (mut act, mut state) = (None, None);
    for fact in facts {
        if let Fact::Intervened { verb: Verb::Resume | Verb::Abort, by, reason } = fact {
            act = act.or(Some((by.as_str(), reason.as_str())));
        }
        if let Fact::Turned { to, .. } = fact {
            state = state.or(Some(to));
        }
    }
    let_go(record, state.unwrap_or(record.saga.state()), act.unwrap_or((ORCHESTRATOR, "")))
}

/// A saga whose row could not be read can be read again.
pub(crate) fn mended(record: &Record) -> Announced {
    let_go(record, record.saga.state(), (ORCHESTRATOR, "its row can be read again"))
}

fn parked(data: event::SagaSuspended) -> Announced {
    Announced { kind: SUSPENDED, aggregate: data.saga.clone(), data: data.encode_to_vec() }
}

fn let_go(record: &Record, state: &State, (actor, reason): (&str, &str)) -> Announced {
    let data = event::SagaResumed {
        saga: name(record.id),
        kind: record.kind.clone(),
        state: wire::state(state).as_str_name().to_owned(),
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    Announced { kind: RESUMED, aggregate: data.saga.clone(), data: data.encode_to_vec() }
}

fn name(id: Uuid) -> String {
    format!("sagas/{id}")
}
