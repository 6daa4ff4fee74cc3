//! The oracle against itself: it finds nothing in a finished world, and whatever is then corrupted in a copy of that world's
//! books, or in what its clients saw, it finds by the rule that is named.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod copy;
mod corruptions;
mod lies;
mod story;

use std::collections::BTreeSet;

use corruptions::CORRUPTIONS;
use lies::LIES;
use oracle::history::History;
use skald::verify::{Books, Report, check_ended};

/// Rules that no statement can break, each with its reason.
const UNBREAKABLE: &[(&str, &str)] = &[];

/// The short names of the rules that a report says are broken.
fn broken(report: &Report) -> BTreeSet<&'static str> {
    report.rules.iter().filter(|rule| !rule.findings.is_empty()).map(|rule| rule.id).collect()
}

async fn look(books: &Books, history: &History, rest: u64) -> Report {
    check_ended(books, history, rest).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_corrupted_is_found_and_nothing_else() {
    let (db, history, rest) = story::told().await;
    let books = Books::in_one(&db);
    let clean = look(&books, &history, rest).await;
    assert!(clean.is_clean(), "in the world itself: {clean}");
    let copy = copy::Copy::of(&db).await;
    let clean = look(&books, &history, rest).await;
    assert!(clean.is_clean(), "in the copy: {clean}");

    let mut failures = Vec::new();
    for (rule, what, statements) in CORRUPTIONS {
        copy.corrupt(statements).await;
        let found = broken(&look(&books, &history, rest).await);
        if !found.contains(rule) {
            failures.push(format!("{what} breaks {rule}, and what is found is {found:?}"));
        }
        copy.restore(statements).await;
    }
    for (rule, what, tell) in LIES {
        let mut told = history.clone();
        tell(&mut told);
        assert_ne!(told, history, "{what} changes nothing");
        let found = broken(&look(&books, &told, rest).await);
        if !found.contains(rule) {
            failures.push(format!("{what} breaks {rule}, and what is found is {found:?}"));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    let again = look(&books, &history, rest).await;
    assert!(again.is_clean(), "restored: {again}");
    all_are_broken(&clean);
}

/// Every rule of the report is broken by a corruption or a lie, and each of those names a rule.
fn all_are_broken(report: &Report) {
    let rules: BTreeSet<_> = report.rules.iter().map(|rule| rule.id).collect();
    assert_eq!(rules.len(), report.rules.len(), "two rules have one name");
    let corrupted = CORRUPTIONS.iter().map(|(rule, ..)| *rule);
    let broken: BTreeSet<_> = corrupted.chain(LIES.iter().map(|(rule, ..)| *rule)).collect();
    let excused: BTreeSet<_> = UNBREAKABLE.iter().map(|(rule, _)| *rule).collect();
    let unbroken: Vec<_> = rules.difference(&broken).filter(|rule| !excused.contains(*rule)).collect();
    assert!(unbroken.is_empty(), "nothing breaks {unbroken:?}: add a corruption, or say why none can");
    let unknown: Vec<_> = broken.union(&excused).filter(|rule| !rules.contains(*rule)).collect();
    assert!(unknown.is_empty(), "there is no rule {unknown:?}");
}
