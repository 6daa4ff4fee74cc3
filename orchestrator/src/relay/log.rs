//! Events as lines of the log, with the attributes of CloudEvents.

use async_trait::async_trait;
use service_kit::outbox::Event;

use super::{Sink, SinkError};

/// Writes each event to the log at level debug.
#[derive(Debug, Clone, Copy)]
pub struct LogSink;

#[async_trait]
impl Sink for LogSink {
    async fn publish(&self, source: &str, event: &Event) -> Result<(), SinkError> {
        tracing::debug!(
            "event.specversion" = "1.0",
            "event.id" = %event.id,
            "event.source" = source,
            "event.type" = event.kind,
            "event.subject" = event.aggregate,
            "event.time_ms" = event.create_time,
            "event.correlationid" = event.saga.map(tracing::field::display),
            "event.bytes" = event.data.len(),
            "event"
        );
        Ok(())
    }
}
