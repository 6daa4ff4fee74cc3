//! How the tools reach a running Skald, and how they tell what went wrong.

use std::time::Duration;

use anyhow::Context as _;
use service_kit::refusal;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

/// Connects to an address like `http://127.0.0.1:7070`.
///
/// # Errors
/// When nobody answers there.
pub async fn connect(address: &str) -> anyhow::Result<Channel> {
    let endpoint = Endpoint::from_shared(address.to_owned()).with_context(|| format!("{address} is no address"))?;
    let endpoint = endpoint.connect_timeout(Duration::from_secs(3)).tcp_nodelay(true);
    let connected = endpoint.connect().await;
    connected.with_context(|| {
        format!("nobody answers at {address}; is `skald up` running there? Choose another one with --address")
    })
}

/// A refusal in words: reason, message, facts, and the fields that were wrong.
pub fn explain(status: &Status) -> anyhow::Error {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    if let Some(info) = status.get_details_error_info() {
        let mut facts: Vec<_> = info.metadata.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        facts.sort();
        text += &format!("\n  reason {}", info.reason);
        if !facts.is_empty() {
            text += &format!(" ({})", facts.join(", "));
        }
    }
    for violation in status.get_details_bad_request().into_iter().flat_map(|details| details.field_violations) {
        text += &format!("\n  {}: {}", violation.field, violation.description);
    }
    let reason = refusal::reason(status).unwrap_or_default();
    if let Some(advice) = advice(&reason) {
        text += &format!("\n  {advice}");
    }
    anyhow::Error::msg(text)
}

/// What to do about a refusal, where that is not plain.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "ETAG_MISMATCH" => {
            "look at it again with `skald saga show`, then repeat with the --expected-version that it tells"
        }
        "PAST_PIVOT" => "it only goes forward now: `skald saga retry` hurries it, `skald saga suspend` holds it",
        "SAGA_ENDED" => "what has ended never changes again",
        "SAGA_SUSPENDED" => "`skald saga resume` lets it go on, and tries at once what was backing off",
        "SAGA_NOT_SUSPENDED" => "it goes on already; `skald saga retry` hurries it",
        "STEP_IN_FLIGHT" => "its answer is still awaited: suspend the saga, and look again when the call has ended",
        "STEP_NOT_RESOLVABLE" => {
            "by hand go: an uncertain step to succeeded or refused, a compensation that stays stuck to compensated, a step \
             after the pivot to succeeded"
        }
        "PIVOT_NOT_RESOLVABLE" => "only the participant decides it, or its arbiter: `skald saga abort` asks that one",
        "PLAN_UNKNOWN" => "another build accepted it; ask one that knows its plan",
        _ => return None,
    })
}
