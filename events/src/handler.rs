//! What a consumer is: whoever does something about events, however they reach him.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;

use crate::cloud_event::CloudEvent;
use crate::sink::Receipt;

/// A consumer.
#[async_trait]
pub trait Handler: std::fmt::Debug + Send + Sync + 'static {
    /// What it is called at brokers, for ever: they remember how far it is. Letters, digits, `-` and `_`.
    fn name(&self) -> &'static str;

    /// Whether it wants events of this kind.
    fn wants(&self, _kind: &str) -> bool {
        true
    }

    /// Takes events that it wants, and returns a receipt for each, in their order. Those of one subject are in the order of
    /// their versions. It may get an event again, and at the same time as another process gets it: it keeps what it has
    /// done under `source` and `id`. If order matters to it, it does not take an event after an earlier one of its subject
    /// that it did not take. It returns once what it took is durable.
    async fn handle(&self, events: &[CloudEvent]) -> Vec<Receipt>;
}

/// Offers events to all handlers that want them and returns a receipt for each: taken when all have taken it. Nobody wants
/// it: taken.
pub async fn offer(handlers: &[Arc<dyn Handler>], events: &[CloudEvent]) -> Vec<Receipt> {
    let mut receipts = vec![Receipt::Taken; events.len()];
    for handler in handlers {
        let (places, wanted): (Vec<_>, Vec<_>) =
            events.iter().cloned().enumerate().filter(|(_, event)| handler.wants(&event.kind)).unzip();
        if wanted.is_empty() {
            continue;
        }
        // A panic is in the log already.
        let handled = AssertUnwindSafe(handler.handle(&wanted)).catch_unwind().await.unwrap_or_default();
        let missing = || Receipt::Failed(format!("{} did not say what became of it", handler.name()));
        let handled = handled.into_iter().chain(std::iter::repeat_with(missing));
        for (place, receipt) in places.into_iter().zip(handled) {
            receipts[place] = receipts[place].clone().and(receipt);
        }
    }
    receipts
}
