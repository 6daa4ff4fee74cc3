//! What the sources have in common: a handler gets its events in order, and none is passed over because it could not be
//! taken at once. One process at a time reads for a handler, so that this holds among several.

use std::sync::Arc;
use std::time::Duration;

use crate::cloud_event::CloudEvent;
use crate::handler::{Handler, offer};
use crate::sink::Receipt;

/// Offers of an event that the handler refuses for good.
const REFUSALS: u32 = 3;
/// First and longest pause before the handler is asked again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How often it is looked whether it is this process's turn.
pub(crate) const TURN: Duration = Duration::from_secs(1);

/// The name of the lease under which a handler's events are read.
pub(crate) fn lease_of(handler: &dyn Handler) -> String {
    format!("events for {}", handler.name())
}

/// Events that a handler is to take, however often it has to be asked.
pub(crate) struct Insistence {
    left: Vec<CloudEvent>,
    refused: u32,
    pause: Duration,
}

impl Insistence {
    pub(crate) fn new(events: Vec<CloudEvent>) -> Self {
        Self { left: events, refused: 0, pause: PAUSE.0 }
    }

    /// Offers what is left. True when each event is taken, or given up with an error in the log.
    pub(crate) async fn attempt(&mut self, handler: &Arc<dyn Handler>) -> bool {
        let events = std::mem::take(&mut self.left);
        if events.is_empty() {
            return true;
        }
        let receipts = offer(std::slice::from_ref(handler), &events).await;
        let settled = receipts.iter().all(|receipt| matches!(receipt, Receipt::Taken | Receipt::Refused(_)));
        self.refused = if settled { self.refused + 1 } else { 0 };
        for (event, receipt) in events.into_iter().zip(receipts) {
            match receipt {
                Receipt::Taken => {}
                Receipt::Refused(error) if self.refused >= REFUSALS => {
                    tracing::error!(event.id = %event.id, event.source, kind = event.kind, event.subject,
                        handler = handler.name(), error, "an event was given up");
                }
                Receipt::Failed(error) | Receipt::Refused(error) | Receipt::Unavailable(error) => {
                    tracing::warn!(event.id = %event.id, event.subject, handler = handler.name(), error,
                        "an event was not taken");
                    self.left.push(event);
                }
            }
        }
        self.left.is_empty()
    }

    /// Waits, longer each time.
    pub(crate) async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE.1);
    }
}
