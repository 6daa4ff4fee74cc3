//! What mutants do to a saga's machine behind the engine's back. It is read and written as the journal keeps it, for there
//! is no other way to a saga that the engine would not make.

use saga::Saga;
use serde_json::{Value, json};

/// Steps that were in flight count as never sent.
pub(crate) fn forget_what_was_in_flight(saga: &mut Saga) {
    edit(saga, |value| {
        for step in value["steps"].as_array_mut().into_iter().flatten() {
            if step["status"] == "running" || step["status"] == "uncertain" {
                step["status"] = json!("pending");
                step["forward"] = json!({});
            }
        }
        true
    });
}

/// A suspended saga that was turning back goes forward when it is resumed: whatever was taken back is tried again.
pub(crate) fn turn_forward(saga: &mut Saga, now_ms: i64) -> bool {
    edit(saga, |value| {
        if value["state"]["suspended"]["from"] != "compensating" {
            return false;
        }
        value["state"]["suspended"]["from"] = json!("running");
        for field in ["failure", "decided_ms"] {
            if let Some(fields) = value.as_object_mut() {
                fields.remove(field);
            }
        }
        for step in value["steps"].as_array_mut().into_iter().flatten() {
            let was_sent = step["forward"]["attempts"].as_u64().unwrap_or_default() > 0;
            if was_sent && step["status"] != "succeeded" {
                step["status"] = json!("uncertain");
                step["forward"] = json!({ "attempts": 1, "ambiguous": 1, "next_ms": now_ms });
                step["compensation"] = json!({});
                if let Some(fields) = step.as_object_mut() {
                    fields.remove("output");
                }
            }
        }
        true
    })
}

fn edit(saga: &mut Saga, change: impl FnOnce(&mut Value) -> bool) -> bool {
    let Ok(mut value) = serde_json::to_value(&*saga) else { return false };
    if !change(&mut value) {
        return false;
    }
    let Ok(changed) = serde_json::from_value(value) else { return false };
    *saga = changed;
    true
}
