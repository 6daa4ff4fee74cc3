//! How the processor misbehaves. Chances are in a thousand, drawn from a seed.

use std::time::Duration;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// What may go wrong; nothing by default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Requests take up to so long.
    pub delay_ms: u64,
    /// Requests wait until this is off again.
    pub hold: bool,
    /// Every request is answered with 503 and does nothing.
    pub down: bool,
    /// Every connection is broken before a request does anything.
    pub reset: bool,
    /// Chance that a request is answered with 503 and does nothing.
    pub unavailable: u16,
    /// Chance that a request is lost before it does anything.
    pub lose_request: u16,
    /// Chance that a reply is lost after the request has done what it asks for.
    pub lose_reply: u16,
    /// Chance that a request arrives a second time, later.
    pub twice: u16,
    /// Chance that an authorisation is declined.
    pub decline: u16,
    /// Chance that a capture is declined, each time.
    pub decline_capture: u16,
    /// Webhooks are sent up to so late, and so overtake each other.
    pub webhook_delay_ms: u64,
    /// Chance that a webhook is sent twice.
    pub webhook_twice: u16,
    /// Chance that a webhook is never sent.
    pub webhook_lost: u16,
}

/// What happens to one request.
#[derive(Debug, Clone)]
pub(super) struct Fate {
    pub(super) delay: Duration,
    pub(super) is_unavailable: bool,
    pub(super) is_lost: bool,
    pub(super) reply_is_lost: bool,
    /// When it arrives again, after it was answered.
    pub(super) again: Option<Duration>,
    pub(super) decline: Option<String>,
    pub(super) decline_capture: Option<String>,
}

impl Faults {
    pub(super) fn fate(&self, random: &mut Rng) -> Fate {
        let mut chance = |per_mille: u16| random.u16(0..1000) < per_mille;
        let is_unavailable = chance(self.unavailable) || self.down;
        let is_lost = chance(self.lose_request) || self.reset;
        let reply_is_lost = chance(self.lose_reply);
        let twice = chance(self.twice);
        let decline = chance(self.decline).then(|| "insufficient_funds".to_owned());
        let decline_capture = chance(self.decline_capture).then(|| "do_not_honor".to_owned());
        let mut delay = || Duration::from_millis(random.u64(0..=self.delay_ms));
        let (delay, later) = (delay(), delay());
        let again = twice.then_some(later);
        Fate { delay, is_unavailable, is_lost, reply_is_lost, again, decline, decline_capture }
    }

    /// How late each copy of a webhook is sent.
    pub(super) fn webhooks(&self, random: &mut Rng) -> Vec<Duration> {
        if random.u16(0..1000) < self.webhook_lost {
            return Vec::new();
        }
        let copies = 1 + usize::from(random.u16(0..1000) < self.webhook_twice);
        (0..copies).map(|_| Duration::from_millis(random.u64(0..=self.webhook_delay_ms))).collect()
    }
}
