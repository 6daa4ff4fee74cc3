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

/// Judges again and again until every rule holds, or the time is over. From `rest` on, in the history's time, no saga was
/// open.
///
/// # Errors
/// When the tables cannot be read.
pub(crate) async fn judge(store: &Store, history: &History, rest: u64, patience: Duration) -> Result<Verdict> {
    let mut settings = Settings::default();
    match store {
        Store::Server(database) => settings.database.url = database.url(),
        Store::File(directory) => settings.server.data_dir = directory.display().to_string(),
    }
    let books = Books::open(&settings).await?;
    let started = Instant::now();
    loop {
        let report = check_with(&books, history, Some(rest)).await?;
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
