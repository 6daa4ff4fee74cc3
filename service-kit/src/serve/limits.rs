//! How much a server lets anybody ask of it. gRPC's own defaults know next to no limit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Largest message that a service decodes: `XxxServer::max_decoding_message_size`. A list pages long before.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// The limits of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls in progress on all connections together, health checks and open streams aside; further ones are shed. Each
    /// costs some tens of kilobytes, so this many fit into memory while admission holds the true limit far below.
    #[serde(deserialize_with = "crate::config::positive")]
    pub calls: usize,
    /// Calls and streams at a time on one connection.
    #[serde(deserialize_with = "crate::config::positive")]
    pub streams_per_connection: u32,
    /// When a call without a shorter deadline is cut: one second more than the longest wait that a call may ask for, so
    /// that such a wait still gets its answer. Streams are not cut.
    #[serde(deserialize_with = "crate::config::positive")]
    pub request_timeout_ms: u64,
    /// How often a silent connection is asked whether it still lives.
    #[serde(deserialize_with = "crate::config::positive")]
    pub keepalive_interval_ms: u64,
    /// How long it may take to say so.
    #[serde(deserialize_with = "crate::config::positive")]
    pub keepalive_timeout_ms: u64,
    /// When a connection is asked to move on, so that load spreads over new replicas; what is in progress ends first.
    #[serde(deserialize_with = "crate::config::positive")]
    pub connection_age_ms: u64,
    /// Longest list of headers: some hundred times what our clients send.
    #[serde(deserialize_with = "crate::config::positive")]
    pub header_list_bytes: u32,
    /// Streams that a connection may have reset for its own mistakes before it is closed.
    #[serde(deserialize_with = "crate::config::positive")]
    pub local_error_resets: usize,
    /// Streams that a client may open and reset at once before its connection is closed (CVE-2023-44487).
    #[serde(deserialize_with = "crate::config::positive")]
    pub pending_accept_resets: usize,
    /// How long calls may take to end at a shutdown.
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 8192,
            streams_per_connection: 128,
            request_timeout_ms: 31_000,
            keepalive_interval_ms: 20_000,
            keepalive_timeout_ms: 10_000,
            connection_age_ms: 30 * 60_000,
            header_list_bytes: 8 * 1024,
            local_error_resets: 256,
            pending_accept_resets: 20,
            drain_ms: 10_000,
        }
    }
}

impl Limits {
    /// A transport that keeps to them. It also cuts every call at its client's own deadline.
    pub(super) fn transport(&self) -> tonic::transport::Server {
        tonic::transport::Server::builder()
            .accept_http1(true)
            .timeout(Duration::from_millis(self.request_timeout_ms))
            .max_concurrent_streams(self.streams_per_connection)
            .max_connection_age(Duration::from_millis(self.connection_age_ms))
            .http2_keepalive_interval(Some(Duration::from_millis(self.keepalive_interval_ms)))
            .http2_keepalive_timeout(Some(Duration::from_millis(self.keepalive_timeout_ms)))
            .http2_max_header_list_size(self.header_list_bytes)
            .http2_max_local_error_reset_streams(Some(self.local_error_resets))
            .http2_max_pending_accept_reset_streams(Some(self.pending_accept_resets))
    }
}
