//! What is fuzzed: everything that reads bytes from outside, or from a table that something else may have written to. A
//! target takes any bytes and panics only when the system did something that it must not do. `fuzz/` runs them under
//! cargo-fuzz; the tests run them over the inputs in `fuzz/corpus`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod events;
mod histories;
mod pages;
mod passes;
mod replies;
mod requests;
mod rows;
mod sagas;
mod texts;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Also the name of its binary and of the folder of its inputs.
    pub name: &'static str,
    /// Runs it once.
    pub run: fn(&[u8]),
    /// Inputs that lead far in.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    // Any message to any method of any service.
    Target { name: "request", run: requests::run, seeds: requests::seeds },
    // A saga as the journal keeps it, and every event on it.
    Target { name: "machine", run: sagas::run, seeds: sagas::seeds },
    // A saga's row with anything in it.
    Target { name: "journal_row", run: rows::run, seeds: rows::seeds },
    // What a participant answers.
    Target { name: "reply", run: replies::run, seeds: replies::seeds },
    // The status that it answers with.
    Target { name: "status", run: replies::status, seeds: replies::status_seeds },
    // The settings of all services.
    Target { name: "config", run: texts::config, seeds: texts::config_seeds },
    // Filters of lists, and the texts of ids and names.
    Target { name: "filter", run: texts::filter, seeds: texts::filter_seeds },
    // Admission passes.
    Target { name: "pass", run: passes::run, seeds: passes::seeds },
    // Sets of keys that a waiting room publishes.
    Target { name: "keys", run: passes::keys, seeds: passes::key_seeds },
    // Addresses of the console's pages, with their queries and page tokens.
    Target { name: "console", run: pages::run, seeds: pages::seeds },
    // Events as JSON.
    Target { name: "event_json", run: events::json, seeds: events::json_seeds },
    // Events as a webhook takes them, in either form.
    Target { name: "webhook", run: events::webhook, seeds: events::webhook_seeds },
    // What clients saw, as the oracle reads it.
    Target { name: "history", run: histories::run, seeds: histories::seeds },
];

/// The target of that name.
pub fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|target| target.name == name).expect("there is such a target")
}
