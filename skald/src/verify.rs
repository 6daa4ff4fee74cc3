//! `skald verify`: every invariant, over all services at once, reading only. Rules within a service are its own
//! statements; rules between services are judged in `across.rs` from the facts that each hands out.
//!
//! Services do not share a snapshot, so something may have moved between two of them: what is found counts only if
//! another look finds the same.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use customer_svc::verify::Judged;
use oracle::history::History;
use service_kit::clock::SystemClock;
use service_kit::db::{self, Db};
use service_kit::process;
use service_kit::verify::{Check, Finding};

mod across;
mod facts;
mod history;
mod report;

use facts::Facts;
pub use report::{Report, Rule};

use crate::settings::Settings;

/// What passes between two looks: more than any message that was under way at the first.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);
/// Looks at books that are in use, and at such as should be at rest by now: what was told last may still be on its way.
const LOOKS: (usize, usize) = (2, 10);

/// The databases of one Skald; cheap to clone.
#[derive(Debug, Clone)]
pub struct Books {
    /// Of concert-svc.
    pub concert: Db,
    /// Of customer-svc.
    pub customer: Db,
    /// Of payment-svc.
    pub payment: Db,
    /// Of token-svc.
    pub token: Db,
    /// Of the orchestrator, whose sagas may be spread over several.
    pub orchestrator: Vec<Db>,
}

impl Books {
    /// All services in one database.
    pub fn in_one(db: &Db) -> Self {
        let [concert, customer, payment, token] = [(); 4].map(|()| db.clone());
        Self { concert, customer, payment, token, orchestrator: vec![db.clone()] }
    }

    /// Those that the settings lead to, to read: schemas on PostgreSQL, the directories of services that run on their own,
    /// or the one file of `skald up`.
    ///
    /// # Errors
    /// When there is no database, or it cannot be read.
    pub async fn open(settings: &Settings) -> Result<Self> {
        let (directory, clock) = (Path::new(&settings.server.data_dir), Arc::new(SystemClock));
        let are_apart = directory.join("orchestrator").is_dir();
        if !settings.database.is_remote() && !are_apart {
            return Ok(Self::in_one(&Db::open_read_only(directory, clock)?));
        }
        let open = async |service| -> Result<Db> {
            match settings.database.is_remote() {
                true => Ok(process::open(directory, (&settings.database, service), clock.clone()).await?),
                false => Ok(Db::open_read_only(&directory.join(service), clock.clone())?),
            }
        };
        Ok(Self {
            concert: open("concert").await?,
            customer: open("customer").await?,
            payment: open("payment").await?,
            token: open("token").await?,
            orchestrator: match settings.shards.is_empty() {
                true => vec![open("orchestrator").await?],
                false => sagas_of(settings).await?,
            },
        })
    }

    /// All of them; one that holds several services as often as it does.
    pub fn all(&self) -> Vec<Db> {
        let mut all = self.orchestrator.clone();
        all.extend([&self.concert, &self.customer, &self.payment, &self.token].map(Db::clone));
        all
    }
}

/// Checks what the settings lead to, whether or not it is in use, with what clients saw, if that is in a file.
///
/// # Errors
/// When there is no database, or it or the file cannot be read.
pub async fn run(settings: &Settings, is_at_rest: bool, history: Option<&Path>) -> Result<Report> {
    let read = |path: &Path| -> Result<History> {
        let cannot = || format!("cannot read {}", path.display());
        History::read(BufReader::new(File::open(path).with_context(cannot)?)).with_context(cannot)
    };
    let history = history.map(read).transpose()?;
    // From when on nothing happened, on the scale of the history, is not in it: none of its calls is known to be later.
    let rest = is_at_rest.then_some(u64::MAX);
    let seen = history.as_ref().map(|history| (history, rest));
    Ok(check_as(&Books::open(settings).await?, Look { is_at_rest, seen }).await?)
}

/// The databases that sagas are spread over.
async fn sagas_of(settings: &Settings) -> Result<Vec<Db>> {
    let spread = orchestrator::shards::open(&settings.shards, &settings.database).await;
    Ok(spread.map_err(anyhow::Error::from_boxed)?.into_iter().map(|(_, db)| db).collect())
}

/// Checks the databases, whether or not they are in use.
///
/// # Errors
/// When one of them cannot be read.
pub async fn check(books: &Books) -> Result<Report, db::Error> {
    check_as(books, Look::default()).await
}

/// Checks them once everything has had time to come to an end: what is still open, unpublished or undelivered then is
/// stuck, however young it is.
///
/// # Errors
/// When one of them cannot be read.
pub async fn check_at_rest(books: &Books) -> Result<Report, db::Error> {
    check_as(books, Look { is_at_rest: true, seen: None }).await
}

/// Checks also what clients saw, up to a moment before this call. With `rest`, everything had come to an end by that moment of
/// the history, and the databases are checked at rest too.
///
/// # Errors
/// When one of them cannot be read.
pub async fn check_with(books: &Books, history: &History, rest: Option<u64>) -> Result<Report, db::Error> {
    check_as(books, Look { is_at_rest: rest.is_some(), seen: Some((history, rest)) }).await
}

/// As [`check_with`], of books that nobody can write any more, such as a copy: one look is enough.
///
/// # Errors
/// When one of them cannot be read.
pub async fn check_ended(books: &Books, history: &History, rest: u64) -> Result<Report, db::Error> {
    look(books, Look { is_at_rest: true, seen: Some((history, Some(rest))) }).await
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Look<'a> {
    is_at_rest: bool,
    /// What clients saw, and from when on everything was at rest.
    seen: Option<(&'a History, Option<u64>)>,
}

async fn check_as(books: &Books, how: Look<'_>) -> Result<Report, db::Error> {
    let mut report = look(books, how).await?;
    let looks = if how.is_at_rest { LOOKS.1 } else { LOOKS.0 };
    for _ in 1..looks {
        if report.is_clean() {
            break;
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let again = look(books, how).await?;
        for (rule, again) in report.rules.iter_mut().zip(again.rules) {
            rule.findings.retain(|finding| again.findings.contains(finding));
        }
    }
    Ok(report)
}

async fn look(books: &Books, how: Look<'_>) -> Result<Report, db::Error> {
    let mut rules = within(&books.concert, concert_svc::verify::CHECKS).await?;
    rules.extend(within(&books.customer, customer_svc::verify::CHECKS).await?);
    rules.extend(ledger(&books.customer).await?);
    rules.extend(within(&books.payment, payment_svc::verify::CHECKS).await?);
    rules.extend(within(&books.payment, payment_svc::deliver::verify::CHECKS).await?);
    rules.extend(within(&books.token, token_svc::verify::CHECKS).await?);
    let mut own: Vec<Rule> = Vec::new();
    for db in &books.orchestrator {
        let rules = within(db, orchestrator::verify::CHECKS).await?;
        if own.is_empty() {
            own = rules;
        } else {
            own.iter_mut().zip(rules).for_each(|(all, rule)| all.findings.extend(rule.findings));
        }
    }
    rules.extend(own);
    rules.push(outboxes(books).await?);
    let facts = Facts::read(books, how.is_at_rest).await?;
    rules.extend(across::rules(&facts));
    if let Some((history, rest)) = how.seen {
        rules.extend(history::rules(&facts, history, rest));
    }
    Ok(Report { rules, checkouts: (facts.checkouts(), facts.open()) })
}

/// The rule of outboxes, over all of them.
async fn outboxes(books: &Books) -> Result<Rule, db::Error> {
    const CHECKS: [Check; 5] = [
        service_kit::outbox_check!("concert"),
        service_kit::outbox_check!("customer"),
        service_kit::outbox_check!("payment"),
        service_kit::outbox_check!("token"),
        service_kit::outbox_check!("orchestrator"),
    ];
    let [concert, customer, payment, token, orchestrator] = &CHECKS;
    let mut all = Vec::new();
    let own = books.orchestrator.iter().map(|db| (db, orchestrator));
    let services =
        [(&books.concert, concert), (&books.customer, customer), (&books.payment, payment), (&books.token, token)];
    for (db, check) in services.into_iter().chain(own) {
        all.extend(within(db, std::slice::from_ref(check)).await?);
    }
    let findings = all.into_iter().flat_map(|rule| rule.findings).collect();
    Ok(Rule { id: orchestrator.id, text: orchestrator.rule, findings })
}

/// The rules of one service, on one snapshot.
async fn within(db: &Db, checks: &'static [Check]) -> Result<Vec<Rule>, db::Error> {
    db.read(async move |tx| {
        let mut rules = Vec::with_capacity(checks.len());
        for check in checks {
            let findings = check.findings(tx).await?.into_iter().map(told);
            rules.push(Rule { id: check.id, text: check.rule, findings: findings.collect() });
        }
        Ok(rules)
    })
    .await
}

/// The rules of the ledger that take more than a statement.
async fn ledger(db: &Db) -> Result<Vec<Rule>, db::Error> {
    let judged = db.read(customer_svc::verify::judge).await?;
    let rule =
        |Judged { id, rule: text, findings }| Rule { id, text, findings: findings.into_iter().map(told).collect() };
    Ok(judged.into_iter().map(rule).collect())
}

fn told(finding: Finding) -> String {
    match finding.row {
        Some(row) => format!("{row}: {}", finding.problem),
        None => finding.problem,
    }
}
