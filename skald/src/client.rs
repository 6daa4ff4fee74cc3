//! How the tools reach a running Skald, and how they tell what went wrong.

use std::time::Duration;

use anyhow::Context as _;
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
    anyhow::Error::msg(text)
}
