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

/// A suspended saga that was turning back goes forward when it is resumed: what was taken back is tried again, in order. Only
/// if nothing is in doubt but what would be tried first, or it would be forgotten.
pub(crate) fn turn_forward(saga: &mut Saga, now_ms: i64) -> bool {
    edit(saga, |value| {
        let steps = value["steps"].as_array().into_iter().flatten();
        let mut unfinished = steps.filter(|step| step["status"] != "succeeded" && step["status"] != "skipped");
        let first = unfinished.next();
        let is_settled =
            |step: &Value| ["compensated", "pending", "refused"].iter().any(|word| step["status"] == *word);
        if value["state"]["suspended"]["from"] != "compensating" || first.is_none() || !unfinished.all(is_settled) {
            return false;
        }
        value["state"]["suspended"]["from"] = json!("running");
        for field in ["failure", "decided_ms"] {
            if let Some(fields) = value.as_object_mut() {
                fields.remove(field);
            }
        }
        let unfinished = |step: &&mut Value| step["status"] != "succeeded" && step["status"] != "skipped";
        let steps = value["steps"].as_array_mut().into_iter().flatten();
        for (place, step) in steps.filter(unfinished).enumerate() {
            *step = match place {
                0 => json!({
                    "status": "uncertain",
                    "forward": { "attempts": 1, "ambiguous": 1, "next_ms": now_ms },
                }),
                _ => json!({ "status": "pending" }),
            };
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
