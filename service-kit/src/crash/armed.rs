//! Which point the process is to die at: one at a time, from the environment at the start or from whoever runs the test.

use std::cell::Cell;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Names the point: `journal.before_intent`, `rpc.before_send@reserve-points/forward`, `accept.before_reply#3`.
pub const VARIABLE: &str = "SKALD_CRASH_POINT";

static ARMED: LazyLock<Mutex<Option<Spec>>> =
    LazyLock::new(|| Mutex::new(std::env::var(VARIABLE).ok().as_deref().map(Spec::read)));

/// Where to die.
#[derive(Debug, PartialEq, Eq)]
struct Spec {
    name: String,
    /// Any, if empty.
    step: String,
    /// Any, if empty.
    direction: String,
    /// Passages left, the fatal one included.
    passages: usize,
}

impl Spec {
    fn read(text: &str) -> Self {
        let (text, passages) = text.split_once('#').unwrap_or((text, "1"));
        let (name, place) = text.split_once('@').unwrap_or((text, ""));
        let (step, direction) = place.split_once('/').unwrap_or((place, ""));
        let passages = passages.parse().unwrap_or(1);
        Self { name: name.into(), step: step.into(), direction: direction.into(), passages }
    }

    fn is_at(&self, name: &str, step: &str, direction: &str) -> bool {
        let any_or = |wanted: &str, got| wanted.is_empty() || wanted == got;
        self.name == name && any_or(&self.step, step) && any_or(&self.direction, direction)
    }
}

/// Sets where the process dies, in place of where it was to die before.
pub fn arm(spec: &str) {
    *ARMED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Spec::read(spec));
}

/// The step's name, kept for a point beyond the end of what owns it.
pub fn label(step: &str) -> String {
    step.to_owned()
}

/// Dies if this is the place.
pub fn pass(name: &str, step: &str, direction: &str) {
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(spec) = armed.as_mut().filter(|spec| spec.is_at(name, step, direction)) else { return };
    spec.passages = spec.passages.saturating_sub(1);
    if spec.passages == 0 {
        eprintln!("crash point {name}@{step}/{direction}");
        std::process::abort();
    }
}

thread_local! {
    static BREATHES: Cell<bool> = const { Cell::new(false) };
}

/// Whether units of work that are done on this thread wait for a moment before and after, as they do in production for
/// their turn and for their commit: so that a test can drop whoever waits.
pub fn breathes(on: bool) {
    BREATHES.set(on);
}

/// Waits for a moment, if that is asked for.
pub async fn breathe() {
    if BREATHES.get() {
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_names_a_passage_or_any() {
        let spec = Spec::read("rpc.before_send@reserve-points/forward#3");
        assert_eq!(spec.passages, 3);
        assert!(spec.is_at("rpc.before_send", "reserve-points", "forward"));
        assert!(!spec.is_at("rpc.before_send", "reserve-points", "compensation"));
        assert!(Spec::read("rpc.before_send").is_at("rpc.before_send", "any", "at all"));
        assert!(!Spec::read("rpc.before_send").is_at("rpc.after_reply", "any", "at all"));
    }
}
