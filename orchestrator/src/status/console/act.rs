//! What a person may do to a saga from its page. A page acts only when it is posted, only when one of its own forms posted
//! it, and only on the version that the form was made for.

use std::net::IpAddr;

use axum::extract::{Form, FromRequestParts, Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::request::Parts;
use http::{HeaderName, StatusCode, header};
use pb::saga::step::State as Settled;
use proto::orchestrator::v1 as pb;
use saga::{Kind, Phase, Verb};
use serde::Deserialize;
use service_kit::refusal::Fault;
use tonic::Code;

use super::{Problem, Saga, page, read_id};
use crate::desk::Desk;
use crate::faults;
use crate::journal::Record;
use crate::status::SAGAS;
use crate::status::verbs::{self, Ask, VISITOR};

/// The verb that settles a step by hand.
const RESOLVE: &str = "resolve";
/// The others, as forms name them.
const VERBS: [(&str, Verb); 4] =
    [("retry", Verb::Retry), ("suspend", Verb::Suspend), ("resume", Verb::Resume), ("abort", Verb::Abort)];

/// What stands in the forms beside a saga.
#[derive(Debug, Default)]
pub(super) struct Acting {
    /// The version that they are made for.
    pub(super) version: i64,
    /// What this state allows, by name.
    pub(super) verbs: Vec<&'static str>,
    /// Steps that a person may settle.
    pub(super) steps: Vec<&'static str>,
    /// What has just been done.
    pub(super) done: &'static str,
    /// Why something was not.
    pub(super) problem: String,
    /// What was typed already.
    pub(super) reason: String,
    pub(super) evidence: String,
}

impl Acting {
    pub(super) fn on(desk: &Desk, record: &Record, done: &str) -> Self {
        let saga = &record.saga;
        let names = VERBS.iter().map(|(name, _)| *name).chain([RESOLVE]);
        let steps = super::tree::lines(desk, record).filter(|(line, _)| line.kind != Kind::Pivot);
        Self {
            version: record.version,
            verbs: names.clone().filter(|name| is_offered(name, saga.phase(), saga.is_suspended())).collect(),
            steps: steps.map(|(line, _)| line.id).collect(),
            done: names.into_iter().find(|name| *name == done).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub(super) fn offers(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }
}

/// Whether a verb may mean something to a saga; whether it does, is decided when it is asked for.
fn is_offered(verb: &str, phase: Option<Phase>, is_suspended: bool) -> bool {
    match verb {
        _ if phase.is_none() => false,
        "retry" | "suspend" => !is_suspended,
        "resume" => is_suspended,
        "abort" => phase == Some(Phase::Running),
        _ => true,
    }
}

/// A form, as it was posted.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Posted {
    verb: String,
    version: String,
    reason: String,
    step: String,
    state: String,
    evidence: String,
}

/// Does what was posted, and shows the saga as it stands then: by another request, so that nothing is posted twice, unless
/// it was refused.
pub(super) async fn post(
    _: SameOrigin,
    State(desk): State<Desk>,
    Path(id): Path<String>,
    Form(posted): Form<Posted>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let fault = match act(&desk, format!("sagas/{id}"), &posted).await {
        Ok(()) => return Ok(Redirect::to(&format!("/sagas/{id}?done={}", posted.verb)).into_response()),
        Err(fault) => fault,
    };
    let record = desk.load(&SAGAS, id).await?;
    let (status, problem) = explain(fault);
    let acting = Acting { problem, reason: posted.reason, evidence: posted.evidence, ..Acting::on(&desk, &record, "") };
    Ok(page(status, &Saga::fetch(&desk, &record, acting).await?))
}

async fn act(desk: &Desk, name: String, posted: &Posted) -> Result<(), Fault> {
    let version: i64 = posted.version.parse().unwrap_or_default();
    if version <= 0 {
        return Err(Fault::field("version", "is missing: a page acts on the version that it shows"));
    }
    let reason = posted.reason.clone();
    let verb = VERBS.iter().find(|(name, _)| *name == posted.verb).map(|(_, verb)| *verb);
    let wish = match verb {
        Some(verb) => verbs::read(verb, VISITOR, Ask { name, expected_version: version, reason }),
        None if posted.verb == RESOLVE => {
            let state = Settled::from_str_name(&posted.state).unwrap_or_default().into();
            let (step_id, evidence) = (posted.step.clone(), posted.evidence.clone());
            let request =
                pb::ResolveSagaStepRequest { name, step_id, state, reason, expected_version: version, evidence };
            verbs::resolve(desk, VISITOR, request).await
        }
        None => Err(Fault::field("verb", "is none that a page offers")),
    };
    let (id, intervention) = wish?;
    desk.intervene(&SAGAS, id, intervention).await.map(drop)
}

/// What was refused, for a person.
fn explain(fault: Fault) -> (StatusCode, String) {
    let status = faults::status(fault);
    let code = if status.code() == Code::InvalidArgument {
        StatusCode::BAD_REQUEST
    } else if status.code() == Code::NotFound {
        StatusCode::NOT_FOUND
    } else if [Code::FailedPrecondition, Code::Aborted].contains(&status.code()) {
        StatusCode::CONFLICT
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, status.message().to_owned())
}

/// The request comes from a page of this server. A browser says so of itself where the connection is trustworthy, and
/// always tells the origin of what it posts.
pub(super) struct SameOrigin;

impl<S: Sync> FromRequestParts<S> for SameOrigin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        let host = host.ok_or_else(|| foreign("it does not say whom it is meant for"))?;
        if !is_address(host) {
            return Err(foreign("it came by a name; open the console by localhost or an address"));
        }
        let is_own = match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => {
                [format!("http://{host}"), format!("https://{host}")].iter().any(|own| own == origin)
            }
            (None, None) => false,
        };
        if is_own { Ok(Self) } else { Err(foreign("it does not come from one of this console's pages")) }
    }
}

/// Whether a host is no name that somebody else may have pointed here.
fn is_address(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || address.parse::<IpAddr>().is_ok()
}

fn foreign(why: &str) -> Problem {
    let text = format!("Nothing was done: {why}. Programs use the API, or skald saga.");
    Problem { status: StatusCode::FORBIDDEN, title: "Refused", text }
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn only_addresses_and_localhost_are_nobody_elses_names() {
        for host in ["localhost", "localhost:7070", "127.0.0.1", "127.0.0.1:7070", "[::1]:7070", "[::1]", "10.0.0.5:80"]
        {
            assert!(is_address(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example:80"] {
            assert!(!is_address(host), "{host}");
        }
    }
}
