//! The sink of those who listen in the same process: nothing is in between, and an event is published once they have all
//! taken it.

use std::sync::Arc;

use async_trait::async_trait;

use crate::cloud_event::CloudEvent;
use crate::handler::{Handler, offer};
use crate::sink::{Receipt, Sink};

/// Hands events to handlers in this process.
#[derive(Debug, Clone)]
pub struct Local {
    handlers: Arc<[Arc<dyn Handler>]>,
}

impl Local {
    /// A sink of these handlers.
    pub fn new(handlers: impl IntoIterator<Item = Arc<dyn Handler>>) -> Self {
        Self { handlers: handlers.into_iter().collect() }
    }
}

#[async_trait]
impl Sink for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        offer(&self.handlers, events).await
    }
}
