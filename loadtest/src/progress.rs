//! Progress bars on the terminal, or none.

use indicatif::{ProgressBar, ProgressStyle};

/// Whether somebody watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A bar for each phase, on standard error, if that is a terminal.
    Shown,
    /// Nothing.
    Hidden,
}

impl Progress {
    pub(crate) fn bar(self, phase: &'static str, length: u64) -> ProgressBar {
        if self == Self::Hidden {
            return ProgressBar::hidden();
        }
        let style =
            ProgressStyle::with_template("{msg:<14} {bar:40} {human_pos:>7}/{human_len} {elapsed:>4}  {prefix}");
        let style = style.expect("the template is well formed").progress_chars("━╸ ");
        ProgressBar::new(length).with_style(style).with_message(phase)
    }
}
