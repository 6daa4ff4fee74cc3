//! The scenarios that every journal passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use orchestrator::exposure::Exposure;
use orchestrator::exposure::Held;
use orchestrator::journal::{Accepted, Adopted, Append, Error, Orphans, Query, Record, Statistics, Total};
use saga::Fact;
use service_kit::db;
use uuid::Uuid;

use crate::bench::{Bench, OTHER, OWNER, announcing, end, id, new, toggle};

macro_rules! suite {
    ($($scenario:ident)*) => {
        mod memory {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Bench::memory().await).await; })*
        }
        mod shared_memory {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Bench::shared_memory().await).await; })*
        }
        mod threaded {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Bench::threaded().await).await; })*
        }
        mod ahead {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Bench::ahead().await).await; })*
        }
        mod inline {
            $(#[tokio::test] async fn $scenario() { super::$scenario(super::Bench::inline().await).await; })*
        }
    };
}

suite! {
    a_saga_is_loaded_as_it_was_accepted
    only_the_first_of_many_acceptances_is_new
    an_append_lands_whole
    an_append_of_another_version_or_epoch_changes_nothing
    an_event_is_announced_once_or_nothing_is_written
    a_bad_append_does_not_fail_its_neighbours
    adoption_fences_the_former_owner
    only_orphans_are_adopted_and_no_more_than_asked_for
    an_ended_saga_is_final
    a_suspended_saga_is_adopted_but_not_listed_as_work
    history_is_paged_in_order
    lists_are_paged_newest_first
    lists_hold_only_what_was_asked_for
    statistics_count_what_is_open
    watchers_see_every_move_and_nothing_older_after_newer
}

async fn a_saga_is_loaded_as_it_was_accepted(bench: Bench) {
    let first = announcing(new(1), 7);
    assert_eq!(bench.journal.accept(first.clone()).await.unwrap(), Accepted::New);
    assert_eq!(bench.load(id(1)).await, *first.next);
    assert_eq!(bench.events().await, first.events);
    assert_eq!(facts(&bench, id(1)).await, first.facts);
    assert_eq!(bench.journal.load(id(2)).await.unwrap(), None);
}

async fn only_the_first_of_many_acceptances_is_new(bench: Bench) {
    let acceptances = (0..1_000).map(|number| bench.journal.accept(announcing(new(1), number)));
    let accepted = join_all(acceptances).await;
    let stored = bench.load(id(1)).await;
    let existing = Accepted::Existing(Box::new(stored));
    let mut new = 0;
    for accepted in accepted {
        match accepted.unwrap() {
            Accepted::New => new += 1,
            other => assert_eq!(other, existing),
        }
    }
    assert_eq!(new, 1);
    assert_eq!(bench.events().await.len(), 1);
    assert_eq!(facts(&bench, id(1)).await.len(), 2);
}

async fn an_append_lands_whole(bench: Bench) {
    let first = new(1);
    let record = bench.accept(first.clone()).await;
    let second = announcing(toggle(&record), 1);
    let record = bench.append(second.clone()).await;
    let third = toggle(&record);
    let record = bench.append(third.clone()).await;
    assert_eq!(bench.load(id(1)).await, *record);
    assert_eq!(record.version, 3);
    assert_eq!(bench.events().await, second.events);
    let all = [first.facts, second.facts, third.facts].concat();
    assert_eq!(facts(&bench, id(1)).await, all);
}

async fn an_append_of_another_version_or_epoch_changes_nothing(bench: Bench) {
    let first = bench.accepted(1).await;
    let second = bench.append(announcing(toggle(&first), 1)).await;
    let shifted = |change: fn(&mut Record)| {
        let mut next = Record::clone(&toggle(&second).next);
        change(&mut next);
        Append { next: Arc::new(next), ..announcing(toggle(&second), 2) }
    };
    let history = bench.journal.history(id(1), (0, 0), 100).await.unwrap();
    for wrong in [
        toggle(&first),
        shifted(|next| next.version += 1),
        shifted(|next| next.version -= 1),
        shifted(|next| next.epoch += 1),
        shifted(|next| next.epoch -= 1),
        shifted(|next| next.id = id(2)),
    ] {
        assert_fenced(bench.journal.append(wrong).await);
    }
    assert_eq!(bench.load(id(1)).await, *second);
    assert_eq!(bench.journal.load(id(2)).await.unwrap(), None);
    assert_eq!(bench.journal.history(id(1), (0, 0), 100).await.unwrap(), history);
    assert_eq!(bench.events().await.len(), 1);
}

async fn an_event_is_announced_once_or_nothing_is_written(bench: Bench) {
    let record = bench.accept(announcing(new(1), 1)).await;
    let twice = announcing(announcing(toggle(&record), 2), 2);
    for repeated in [announcing(toggle(&record), 1), twice] {
        let refused = bench.journal.append(repeated).await;
        assert!(matches!(refused, Err(Error::Store(db::Error::Constraint(_)))), "{refused:?}");
    }
    assert_eq!(bench.load(id(1)).await, *record);
    assert_eq!(facts(&bench, id(1)).await.len(), 2);
    assert_eq!(bench.events().await.len(), 1);
}

async fn a_bad_append_does_not_fail_its_neighbours(bench: Bench) {
    let mut records = Vec::new();
    for number in 0..100 {
        records.push(bench.accept(announcing(new(number), number)).await);
    }
    let appends = (0..).zip(&records).map(|(number, record)| match number % 10 {
        3 => toggle(&toggle(record).next),
        // Fails after its row was written.
        7 => announcing(toggle(record), number),
        _ => announcing(toggle(record), 1_000 + number),
    });
    let results = join_all(appends.map(|append| bench.journal.append(append))).await;
    for (number, (result, record)) in results.iter().zip(&records).enumerate() {
        let good = !matches!(number % 10, 3 | 7);
        assert_eq!(result.is_ok(), good, "{number}");
        let stands = if good { toggle(record).next } else { record.clone() };
        assert_eq!(bench.load(record.id).await, *stands);
    }
    assert_eq!(bench.events().await.len(), 180);
}

async fn adoption_fences_the_former_owner(bench: Bench) {
    let record = bench.accepted(1).await;
    let adopted = adopt(&bench, OTHER, Orphans::One(id(1))).await;
    let taken = Record { owner: OTHER, epoch: 2, ..Record::clone(&record) };
    assert_eq!(adopted, std::slice::from_ref(&taken));
    assert_eq!(bench.load(id(1)).await, taken);
    assert_fenced(bench.journal.append(toggle(&record)).await);
    let next = bench.append(toggle(&taken)).await;
    assert_eq!(bench.load(id(1)).await, *next);

    // Also from itself, as an operator's verb does.
    let again = adopt(&bench, OTHER, Orphans::One(id(1))).await;
    assert_eq!(again, [Record { epoch: 3, ..Record::clone(&next) }]);
    assert_fenced(bench.journal.append(toggle(&next)).await);
    assert_eq!(adopt(&bench, OTHER, Orphans::One(id(2))).await, []);
}

async fn only_orphans_are_adopted_and_no_more_than_asked_for(bench: Bench) {
    for number in 0..10 {
        bench.accepted(number).await;
    }
    // While their owner lives, its sagas are nobody else's.
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await, []);
    bench.journal.release(OTHER).await.unwrap();
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await, []);

    bench.journal.release(OWNER).await.unwrap();
    assert_eq!(adopt(&bench, OWNER, Orphans::Any(100)).await, []);
    bench.journal.register(OTHER).await.unwrap();
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(4)).await.len(), 4);
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await.len(), 6);
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await, []);

    // When the former one is dead, the next one takes over.
    let next = Uuid::from_u128(0xC);
    bench.succeed(next).await;
    let adopted = adopt(&bench, next, Orphans::Any(100)).await;
    assert_eq!(adopted.len(), 10);
    assert!(adopted.iter().all(|record| record.epoch == 3 && record.version == 1 && record.owner == next));
}

async fn an_ended_saga_is_final(bench: Bench) {
    let record = bench.accepted(1).await;
    let ended = bench.append(end(&record)).await;
    assert!(ended.saga.is_terminal());
    bench.succeed(OTHER).await;
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await, []);
    assert_eq!(adopt(&bench, OTHER, Orphans::One(id(1))).await, []);
    assert!(bench.owned(OWNER).await.is_empty());
    let later = Record { version: 3, ..Record::clone(&ended) };
    let append = Append { next: Arc::new(later), facts: Vec::new(), events: Vec::new(), exposure: Exposure::default() };
    assert_fenced(bench.journal.append(append).await);
    assert_eq!(bench.load(id(1)).await, *ended);
}

async fn a_suspended_saga_is_adopted_but_not_listed_as_work(bench: Bench) {
    let mut open = Vec::new();
    for number in 1..=9 {
        let record = bench.accepted(number).await;
        if number % 3 == 0 {
            bench.append(toggle(&record)).await;
        } else {
            open.push(record.id);
        }
    }
    let owned = bench.journal.owned(OWNER, None, 4).await.unwrap();
    let rest = bench.journal.owned(OWNER, owned.last().copied(), 4).await.unwrap();
    assert_eq!([owned, rest].concat(), open);
    assert!(bench.owned(OTHER).await.is_empty());
    bench.succeed(OTHER).await;
    assert_eq!(adopt(&bench, OTHER, Orphans::Any(100)).await.len(), 9);
    assert_eq!(bench.owned(OTHER).await, open);
}

async fn history_is_paged_in_order(bench: Bench) {
    let record = bench.accepted(1).await;
    let mut append = toggle(&record);
    append.facts = (0..30).map(|step| Fact::Skipped(saga::StepIndex(step))).collect();
    let record = bench.append(append).await;
    bench.append(toggle(&record)).await;
    bench.accepted(2).await;

    let whole = bench.journal.history(id(1), (0, 0), 100).await.unwrap();
    let versions: Vec<_> = whole.iter().map(|entry| (entry.version, entry.position)).collect();
    let expected = [(1, 2), (2, 30), (3, 2)];
    let expected: Vec<_> = expected
        .into_iter()
        .flat_map(|(version, facts)| (1..=facts).map(move |position| (version, position)))
        .collect();
    assert_eq!(versions, expected);
    let skipped = whole.iter().filter(|entry| entry.fact.name() == "skipped");
    let skipped = skipped.filter_map(|entry| entry.fact.step()).map(|step| step.0);
    assert!(skipped.eq(0..30));

    let mut paged = Vec::new();
    let mut after = (0, 0);
    loop {
        let page = bench.journal.history(id(1), after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = (last.version, last.position);
        paged.extend(page);
    }
    assert_eq!(paged, whole);
}

async fn lists_are_paged_newest_first(bench: Bench) {
    let mut all = Vec::new();
    for number in 0..20 {
        all.push(Record::clone(&*bench.accepted(number).await));
    }
    all.reverse();
    let mut paged = Vec::new();
    let mut query = Query { limit: 3, ..Query::default() };
    loop {
        let page = bench.journal.list(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query.before = Some((last.create_time, last.id));
        paged.extend(page);
    }
    assert_eq!(paged, all);
    query = Query::default();
    assert_eq!(bench.journal.list(&query).await.unwrap(), []);
}

async fn lists_hold_only_what_was_asked_for(bench: Bench) {
    for number in 0..30 {
        let record = bench.accepted(number).await;
        match number % 3 {
            0 => drop(bench.append(end(&record)).await),
            1 => drop(bench.append(toggle(&record)).await),
            _ => {}
        }
    }
    let query = Query { limit: 100, ..Query::default() };
    let (subject, reference) = (Some("customers/1".to_owned()), Some("reservations/2".to_owned()));
    for (count, query) in [
        (30, Query { kind: Some("purchase".into()), ..query.clone() }),
        (0, Query { kind: Some("refund".into()), ..query.clone() }),
        (15, Query { subject: subject.clone(), ..query.clone() }),
        (6, Query { reference: reference.clone(), ..query.clone() }),
        (3, Query { subject: subject.clone(), reference: reference.clone(), ..query.clone() }),
        (10, Query { states: vec!["suspended"], ..query.clone() }),
        (10, Query { states: vec!["completed", "compensated"], ..query.clone() }),
        (20, Query { states: vec!["completed", "running"], ..query.clone() }),
        (5, Query { states: vec!["suspended"], subject, ..query.clone() }),
        (2, Query { states: vec!["running"], reference, ..query.clone() }),
        (0, Query { states: vec!["unheard of"], ..query.clone() }),
    ] {
        let listed = bench.journal.list(&query).await.unwrap();
        assert_eq!(listed.len(), count, "{query:?}");
        let as_asked = |record: &Record| query.states.is_empty() || query.states.contains(&record.saga.state().name());
        assert!(listed.iter().all(as_asked), "{query:?}");
    }
}

async fn statistics_count_what_is_open(bench: Bench) {
    assert_eq!(bench.journal.statistics(i64::MIN).await.unwrap(), Statistics::default());
    for number in 0..30 {
        let record = bench.accepted(number).await;
        match number % 3 {
            0 => drop(bench.append(end(&record)).await),
            1 => drop(bench.append(toggle(&record)).await),
            _ => {}
        }
    }
    let total = |count, oldest_ms| Total { count, held: Held::default(), oldest_ms };
    for (since_ms, count) in [(i64::MIN, 10), (1_000, 10), (1_004, 6), (1_009, 1), (1_010, 0)] {
        let statistics = bench.journal.statistics(since_ms).await.unwrap();
        let oldest_ms = since_ms.max(1_000);
        let states = [("running", total(count, oldest_ms)), ("suspended", total(count, oldest_ms))];
        let states = states.map(|(state, total)| (state.to_owned(), total));
        let expected: BTreeMap<_, _> = states.into_iter().filter(|(_, total)| total.count > 0).collect();
        assert_eq!(statistics.states, expected, "since {since_ms}");
        // Nobody knows the steps of this plan, nor what they hold.
        let groups: Vec<_> = statistics.groups.iter().map(|group| (&*group.kind, &*group.state, group.total)).collect();
        let of_kind: Vec<_> = expected.iter().map(|(state, total)| ("purchase", &**state, *total)).collect();
        assert_eq!(groups, of_kind, "since {since_ms}");
    }
}

async fn watchers_see_every_move_and_nothing_older_after_newer(bench: Bench) {
    let mut watcher = bench.journal.watch(id(1));
    assert_eq!(*watcher.borrow_and_update(), None);
    let mut seen = async |expected: &Record| {
        watcher.changed().await.unwrap();
        assert_eq!(watcher.borrow_and_update().as_deref(), Some(expected));
        assert!(!watcher.has_changed().unwrap());
    };
    let first = bench.accepted(1).await;
    seen(&first).await;
    let second = bench.append(toggle(&first)).await;
    seen(&second).await;
    let adopted = adopt(&bench, OTHER, Orphans::One(id(1))).await.remove(0);
    seen(&adopted).await;
    assert_fenced(bench.journal.append(toggle(&second)).await);
    bench.accepted(2).await;

    let third = toggle(&adopted);
    let fourth = toggle(&third.next);
    let ended = end(&fourth.next);
    let last = ended.next.clone();
    join_all([third, fourth, ended].map(|append| bench.journal.append(append))).await;
    let mut newest = adopted.version;
    while newest < last.version {
        watcher.changed().await.unwrap();
        let record = watcher.borrow_and_update().clone().unwrap();
        assert!(record.version > newest, "{} after {newest}", record.version);
        newest = record.version;
    }
    assert_eq!(watcher.borrow().as_ref(), Some(&last));
}

async fn facts(bench: &Bench, id: Uuid) -> Vec<Fact> {
    bench.journal.settled().await.unwrap();
    let history = bench.journal.history(id, (0, 0), 1_000).await.unwrap();
    history.into_iter().map(|entry| entry.fact).collect()
}

async fn adopt(bench: &Bench, owner: Uuid, orphans: Orphans) -> Vec<Record> {
    let adopted = bench.journal.adopt(owner, orphans).await.unwrap();
    let record = |adopted| match adopted {
        Adopted::Saga(record) => *record,
        Adopted::Broken { problem, .. } => panic!("{problem}"),
    };
    adopted.into_iter().map(record).collect()
}

fn assert_fenced(result: Result<(), Error>) {
    assert!(matches!(result, Err(Error::Fenced)), "{result:?}");
}
