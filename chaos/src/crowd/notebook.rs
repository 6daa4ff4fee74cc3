//! What customers were told: every call with its times, for a judge, and counted for people.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oracle::history::{Answer, Asked, History, Outcome, Pending, Recorder, State, saga_of};
use proto::orchestrator::v1::checkout::State as Told;
use serde::Serialize;
use tokio::time::Instant;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::desk::Shown;

/// Calls that are kept: more than any run makes.
const CALLS: usize = 5_000_000;
/// Violations that are kept in words; more only count.
const TOLD: usize = 20;

/// The counts.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Counts {
    /// Answered.
    pub ok: u64,
    /// Refused before anything was done.
    pub fail: u64,
    /// Nobody can tell.
    pub info: u64,
    /// Answers that break a promise, in words.
    pub violations: Vec<String>,
}

impl Counts {
    /// What a history comes to.
    fn of(history: &History, violations: Vec<String>) -> Self {
        let mut counts = Self { violations, ..Self::default() };
        for call in &history.calls {
            match call.outcome {
                Outcome::Ok { .. } => counts.ok += 1,
                Outcome::Fail { .. } => counts.fail += 1,
                Outcome::Info { .. } => counts.info += 1,
            }
        }
        counts
    }
}

/// What all customers share.
#[derive(Debug, Clone)]
pub struct Notebook {
    recorder: Recorder,
    violations: Arc<Mutex<Vec<String>>>,
    started: Instant,
}

/// A call that is noted down and has no answer yet. Dropped without one, nobody can tell what became of it.
#[derive(Debug)]
pub(super) struct Noted<'a> {
    notebook: &'a Notebook,
    pending: Pending,
}

impl Notebook {
    /// An empty one, whose time begins now.
    pub(super) fn new() -> Self {
        Self { recorder: Recorder::new(CALLS), violations: Arc::default(), started: Instant::now() }
    }

    /// Microseconds since its beginning.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What stands in it, and begins anew.
    pub fn take(&self) -> (History, Counts) {
        let history = self.recorder.take();
        let counts = Counts::of(&history, std::mem::take(&mut self.violations()));
        (history, counts)
    }

    /// Notes down that somebody asks.
    pub(super) fn begin(&self, client: u64, asked: Asked) -> Noted<'_> {
        Noted { notebook: self, pending: self.recorder.begin(client, asked, self.now()) }
    }

    /// Notes a broken promise down.
    pub(super) fn violation(&self, what: String) {
        let mut violations = self.violations();
        if violations.len() < TOLD {
            violations.push(what);
        }
    }

    fn violations(&self) -> MutexGuard<'_, Vec<String>> {
        self.violations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted<'_> {
    /// Notes down one of several answers.
    pub(super) fn one_more(&self, shown: &Shown) {
        match told(shown) {
            Some(answer) => self.pending.heard(self.notebook.now(), answer),
            None => self.notebook.violation(format!("{shown:?} is no answer")),
        }
    }

    /// There are no more answers.
    pub(super) fn ended(self) {
        self.pending.ended();
    }

    /// Notes the answer down.
    pub(super) fn heard(self, answer: &Result<Shown, Status>) {
        let now = self.notebook.now();
        match answer {
            Ok(shown) => match told(shown) {
                Some(answer) => self.pending.ok(now, answer),
                None => self.notebook.violation(format!("{shown:?} is no answer")),
            },
            Err(status) => {
                let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                self.pending.failed(now, status.code() as i32, &reason);
            }
        }
    }
}

fn told(shown: &Shown) -> Option<Answer> {
    let state = match shown.state {
        Told::Unspecified => return None,
        Told::Running => State::Running,
        Told::Completing => State::Completing,
        Told::Completed => State::Completed,
        Told::Compensating => State::Compensating,
        Told::Failed => State::Compensated,
    };
    Some(Answer { saga: saga_of(&shown.name)?, state, version: shown.version })
}

/// Whether such an error says that nothing was done.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::PermissionDenied | Code::FailedPrecondition)
}
