//! What happened, in order: as one number that two runs of a seed must share, and as lines where somebody wants to read.

use crate::dice::mix;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(is_read: bool) -> Self {
        Self { hash: 0, lines: is_read.then(Vec::new) }
    }

    pub(crate) fn note(&mut self, at_ms: i64, words: &[u64], line: impl FnOnce() -> String) {
        self.hash = mix(&[self.hash, at_ms as u64, mix(words)]);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>9.3}  {}", at_ms as f64 / 1_000.0, line()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn take(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }
}
