//! What operators ask for, read field by field. Whether the saga allows it is decided elsewhere.

use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::saga::step::State as Settled;
use saga::{Act, Event, Resolution, Verb};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::SAGAS;
use crate::desk::Desk;
use crate::runner::Intervention;

/// Who intervenes by a call, as long as callers are not told apart.
pub(crate) const OPERATOR: &str = "operator";
/// Who intervenes from the console.
pub(super) const VISITOR: &str = "operator at the console";
/// The longest reason and the longest evidence that a history keeps.
const LONGEST_TEXT: usize = 500;

pub(super) type Wish = Result<(Uuid, Intervention), Fault>;

/// Which saga, on which version it was decided, and why.
pub(super) struct Ask {
    pub(super) name: String,
    pub(super) expected_version: i64,
    pub(super) reason: String,
}

/// The requests of all verbs but the one that settles a step have the same fields.
macro_rules! ask {
    ($request:expr) => {{
        let request = $request.into_inner();
        verbs::Ask { name: request.name, expected_version: request.expected_version, reason: request.reason }
    }};
}
pub(super) use ask;

pub(super) fn read(verb: Verb, by: &str, ask: Ask) -> Wish {
    wish(&ask.name, event(verb, act(by, ask.reason)?), ask.expected_version)
}

/// What asking for a verb means to a saga.
pub(crate) fn event(verb: Verb, act: Act) -> Event {
    match verb {
        Verb::Cancel => Event::CancelRequested(act),
        Verb::Abort => Event::Abort(act),
        Verb::Suspend => Event::Suspend(act),
        Verb::Resume => Event::Resume(act),
        Verb::Retry => Event::Retry(act),
    }
}

/// The steps of a saga are those of its plan, so this has to look at it.
pub(super) async fn resolve(desk: &Desk, by: &str, request: pb::ResolveSagaStepRequest) -> Wish {
    if request.expected_version == 0 {
        return Err(Fault::field("expected_version", "is required: the version that the resolution was decided on"));
    }
    let id = SAGAS.id("name", &request.name)?;
    let act = act(by, request.reason)?;
    let evidence = text("evidence", request.evidence)?;
    let resolution = resolution(request.state)?;
    let record = desk.load(&SAGAS, id).await?;
    let plan = desk.plans.plan_of(&record);
    let step = plan.and_then(|plan| plan.find(&request.step_id));
    let step = step.ok_or_else(|| Fault::field("step_id", "is no step of the saga's plan"))?;
    wish(&request.name, Event::Resolve { step, resolution, act, evidence }, request.expected_version)
}

fn resolution(state: i32) -> Result<Resolution, Fault> {
    match Settled::try_from(state) {
        Ok(Settled::Succeeded) => Ok(Resolution::Succeeded { output: Vec::new() }),
        Ok(Settled::Refused) => Ok(Resolution::NotApplied),
        Ok(Settled::Compensated) => Ok(Resolution::Compensated),
        _ => Err(Fault::field("state", "must be SUCCEEDED, REFUSED or COMPENSATED")),
    }
}

fn wish(name: &str, event: Event, version: i64) -> Wish {
    if version < 0 {
        return Err(Fault::field("expected_version", "must not be negative"));
    }
    let expected_version = Some(version).filter(|version| *version > 0);
    Ok((SAGAS.id("name", name)?, Intervention { event, expected_version }))
}

fn act(by: &str, reason: String) -> Result<Act, Fault> {
    Ok(Act { by: by.to_owned(), reason: text("reason", reason)? })
}

/// A text that a history keeps.
pub(super) fn text(field: &str, text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::field(field, "is required; it is kept in the saga's history"));
    }
    if text.chars().count() > LONGEST_TEXT {
        return Err(Fault::field(field, format!("must not be longer than {LONGEST_TEXT} characters")));
    }
    if text.contains('\0') {
        return Err(Fault::field(field, "must not hold the character NUL"));
    }
    Ok(text)
}
