//! What customers were told, counted, with whatever cannot be true.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tonic::{Code, Status};

use super::desk::Shown;

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

/// What all customers share.
#[derive(Debug, Clone, Default)]
pub struct Notebook(Arc<Mutex<Counts>>);

impl Notebook {
    /// What stands in it.
    pub fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Notes an answer down.
    pub(super) fn heard(&self, answer: &Result<Shown, Status>) {
        let mut counts = self.lock();
        match answer {
            Ok(_) => counts.ok += 1,
            Err(status) if is_refusal(status.code()) => counts.fail += 1,
            Err(_) => counts.info += 1,
        }
    }

    /// Notes a broken promise down.
    pub(super) fn violation(&self, what: String) {
        let mut counts = self.lock();
        if counts.violations.len() < TOLD {
            counts.violations.push(what);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether such an error says that nothing was done.
pub(super) fn is_refusal(code: Code) -> bool {
    matches!(code, Code::InvalidArgument | Code::PermissionDenied | Code::FailedPrecondition)
}
