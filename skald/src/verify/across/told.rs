//! Whether the world has heard. Only at rest can be told what has not arrived from what is under way.

use std::collections::{BTreeMap, BTreeSet};

use payment_svc::deliver::PlatformConfig;
use payment_svc::deliver::verify::{Channel, NOTICES, State};
use service_kit::verify::Written;

use crate::verify::facts::Facts;

/// What is younger is not forgotten yet, neither an event nor a delivery.
const REMEMBERED_MS: i64 = 6 * 24 * 60 * 60 * 1_000;
/// Most findings that are told.
const MOST: usize = 20;

pub(super) fn everybody(facts: &Facts) -> Vec<String> {
    if !facts.is_at_rest {
        return Vec::new();
    }
    let is_young = |time: i64| time > facts.now_ms - REMEMBERED_MS;
    // Where nothing was ever published nobody publishes.
    let relays = facts.written.values().any(|event| event.is_published);
    let unpublished = facts.written.values().filter(|event| relays && !event.is_published);
    let unpublished = unpublished.map(|event| format!("event {} ({}) is unpublished", event.id, event.kind));

    let mut taken: BTreeMap<Channel, BTreeSet<_>> = BTreeMap::new();
    for delivery in facts.delivered.values() {
        taken.entry(delivery.channel).or_default().insert(delivery.event);
    }
    // Who was never told of anything is not there.
    let except = PlatformConfig::default().except;
    let wants = |channel: Channel, event: &Written| match channel {
        Channel::Alimtalk => NOTICES.contains(&event.kind.as_str()),
        Channel::Platform => !except.contains(&event.kind),
        Channel::Sms => false,
    };
    let young = facts.written.values().filter(|event| event.is_published && is_young(event.create_time));
    let untaken = young.flat_map(|event| {
        let missed = taken.iter().filter(|(channel, taken)| wants(**channel, event) && !taken.contains(&event.id));
        missed.map(|(channel, _)| format!("event {} ({}) has no delivery to {}", event.id, event.kind, channel.name()))
    });

    let unarrived = facts.delivered.values().filter_map(|delivery| {
        let (id, channel, state) = (delivery.id, delivery.channel.name(), delivery.state.name());
        let is_unknown = is_young(delivery.create_time) && !facts.written.contains_key(&delivery.event);
        match delivery.state {
            _ if is_unknown => {
                Some(format!("deliveries/{id} is of event {}, which nobody has written", delivery.event))
            }
            State::Pending | State::Retrying => Some(format!("deliveries/{id} to {channel} is still {state}")),
            // A notice has its text message then, and a person has been told of any other.
            State::Succeeded | State::Skipped | State::Dead => None,
        }
    });
    unpublished.chain(untaken).chain(facts.behind.iter().cloned()).chain(unarrived).take(MOST).collect()
}
