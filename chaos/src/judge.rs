//! The verdict: every rule of `skald verify` over the tables, and what customers saw held against the sagas. Both in the
//! end, when everything has had its time: what is not told, delivered or ended by then is stuck.

use std::time::Duration;

use anyhow::Result;
use oracle::history::History;
use skald::settings::Settings;
use skald::verify::{Books, check_with};
use tokio::time::{Instant, sleep};

use crate::cluster::Store;
use crate::report::{Rule, Verdict};

/// Between two looks at what may still be on its way.
const LOOK: Duration = Duration::from_secs(1);

/// The rule that compares the times of two processes.
const WRITE_AHEAD: &str = "W1";
/// Clocks jump by an hour at least; what is written in the wrong order lies seconds apart.
const JUMP_MS: i64 = 3_000_000;

/// Whether the times in a finding lie so far apart that it is the clocks that differ.
fn is_of_a_jump(finding: &str) -> bool {
    let numbers = finding.split(|letter: char| !letter.is_ascii_digit()).filter(|number| number.len() == 13);
    let times: Vec<i64> = numbers.filter_map(|number| number.parse().ok()).collect();
    times.iter().max().zip(times.iter().min()).is_some_and(|(last, first)| last - first > JUMP_MS)
}

/// Judges again and again until every rule holds, or the time is over. From `rest` on, in the history's time, no saga was
/// open.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn judge(
    store: &Store,
    history: &History,
    rest: u64,
    (patience, clocks_jump): (Duration, bool),
) -> Result<Verdict> {
    let mut settings = Settings::default();
    match store {
        Store::Server(database) => settings.database.url = database.url(),
        Store::File(directory) => settings.server.data_dir = directory.display().to_string(),
    }
    let books = Books::open(&settings).await?;
    let started = Instant::now();
    loop {
        let mut report = check_with(&books, history, Some(rest)).await?;
        if clocks_jump {
            let by_time = report.rules.iter_mut().filter(|rule| rule.id == WRITE_AHEAD);
            by_time.for_each(|rule| rule.findings.retain(|finding| !is_of_a_jump(finding)));
        }
        if report.is_clean() || started.elapsed() > patience {
            let clean = report.is_clean();
            let checkouts = u64::try_from(report.checkouts.0)?;
            let rules = report.rules.into_iter().map(|rule| Rule {
                id: rule.id.to_owned(),
                rule: rule.text.to_owned(),
                findings: rule.findings,
            });
            return Ok(Verdict { clean, checkouts, rules: rules.collect() });
        }
        sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::is_of_a_jump;

    #[test]
    fn only_times_that_lie_far_apart_are_excused() {
        let finding =
            |intended: i64| format!("sagas/01a2: pay is Applied, from 1796074614832, and intended at {intended}");
        assert!(is_of_a_jump(&finding(1_796_078_213_701)));
        assert!(!is_of_a_jump(&finding(1_796_074_619_000)));
        assert!(!is_of_a_jump("no times"));
    }
}
