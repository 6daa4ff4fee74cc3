//! What operators ask for, read field by field. Whether the saga allows it is decided elsewhere.

use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::saga::step::State as Settled;
use saga::{Act, Event, Resolution};
use service_kit::refusal::Fault;
use uuid::Uuid;

use super::SAGAS;
use crate::desk::Desk;
use crate::plans;
use crate::runner::Intervention;

/// Who intervenes, as long as callers are not told apart.
const OPERATOR: &str = "operator";
/// The longest reason and the longest evidence that a history keeps.
const LONGEST_TEXT: usize = 500;

type Wish = Result<(Uuid, Intervention), Fault>;

pub(super) fn retry(request: pb::RetrySagaRequest) -> Wish {
    wish(&request.name, Event::Retry(act(request.reason)?), request.expected_version)
}

pub(super) fn abort(request: pb::AbortSagaRequest) -> Wish {
    wish(&request.name, Event::Abort(act(request.reason)?), request.expected_version)
}

pub(super) fn suspend(request: pb::SuspendSagaRequest) -> Wish {
    wish(&request.name, Event::Suspend(act(request.reason)?), request.expected_version)
}

pub(super) fn resume(request: pb::ResumeSagaRequest) -> Wish {
    wish(&request.name, Event::Resume(act(request.reason)?), request.expected_version)
}

/// The steps of a saga are those of its plan, so this has to look at it.
pub(super) async fn resolve(desk: &Desk, request: pb::ResolveSagaStepRequest) -> Wish {
    if request.expected_version == 0 {
        return Err(Fault::field("expected_version", "is required: the version that the resolution was decided on"));
    }
    let id = SAGAS.id("name", &request.name)?;
    let act = act(request.reason)?;
    let evidence = text("evidence", request.evidence)?;
    let resolution = resolution(request.state)?;
    let record = desk.load(&SAGAS, id).await?;
    let plan = plans::find(&record.kind, record.plan_version).map(|definition| definition.plan());
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

fn act(reason: String) -> Result<Act, Fault> {
    Ok(Act { by: OPERATOR.into(), reason: text("reason", reason)? })
}

fn text(field: &str, text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::field(field, "is required; it is kept in the saga's history"));
    }
    if text.chars().count() > LONGEST_TEXT {
        return Err(Fault::field(field, format!("must not be longer than {LONGEST_TEXT} characters")));
    }
    Ok(text)
}
