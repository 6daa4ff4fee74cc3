//! What a sink is.

use async_trait::async_trait;

use crate::cloud_event::CloudEvent;

/// What became of an event at a sink or a handler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It is taken for good, and will not be missed if it is forgotten now.
    Taken,
    /// Not now; it may have been taken all the same. It comes again.
    Failed(String),
    /// Never: the event itself is at fault. After a few more tries it becomes a dead letter.
    Refused(String),
    /// Nobody is there to take anything: this says nothing about the event. It comes again.
    Unavailable(String),
}

impl Receipt {
    /// Whether it is taken.
    pub fn is_taken(&self) -> bool {
        *self == Self::Taken
    }

    /// What two who had to take the same event say together: the event has to come again if either wants it again.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |receipt: &Self| match receipt {
            Self::Taken => 0,
            Self::Refused(_) => 1,
            Self::Failed(_) => 2,
            Self::Unavailable(_) => 3,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// Where a relay takes events to.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync + 'static {
    /// What it is called in settings, logs and tables, for ever.
    fn name(&self) -> &'static str;

    /// Takes events, of which no two tell of the same subject, so that they may go side by side. Returns a receipt for
    /// each, in their order. An event may come again after it was taken: by its source and id a consumer recognises it.
    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt>;
}
