//! What customers were told: of each saga ever newer versions, never less than was told before, and at last what the journal
//! holds.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::clients::{Seen, Told, ended};
use crate::store::Store;
use crate::world::World;

/// What the journal ever held of a saga: the end by version, if that version was one.
type Versions = BTreeMap<i64, Option<bool>>;

pub(crate) fn check(world: &World, store: &Store, seen: &[Seen]) {
    let mut versions: BTreeMap<Uuid, Versions> = BTreeMap::new();
    store.each(|row| {
        let of_saga = row.past.iter().map(|past| (past.record.version, ended(&past.record)));
        versions.insert(row.record.id, of_saga.collect());
    });
    let mut by_saga: BTreeMap<Uuid, Vec<Seen>> = BTreeMap::new();
    for seen in seen {
        by_saga.entry(seen.saga).or_default().push(*seen);
    }
    for (saga, told) in by_saga {
        let none = Versions::new();
        if let Some(rule) = broken(&told, versions.get(&saga).unwrap_or(&none)) {
            world.violated(format!("saga {saga}: {rule}"));
        }
    }
}

/// The first rule that what was told of one saga breaks.
fn broken(told: &[Seen], versions: &Versions) -> Option<&'static str> {
    for seen in told {
        // Whatever was told before this was asked.
        let before = told.iter().filter(|other| other.told < seen.asked);
        match seen.what {
            Told::Accepted if versions.is_empty() => return Some("an accepted saga is gone"),
            Told::Accepted => {}
            Told::Unknown => {
                let mut before = before;
                if before.any(|before| before.what != Told::Unknown) {
                    return Some("a saga that was known is unknown");
                }
            }
            Told::Stands { version, ended } => {
                if versions.get(&version) != Some(&ended) {
                    return Some("a customer is told what the journal never held");
                }
                let newest = before.filter_map(|before| match before.what {
                    Told::Stands { version, .. } => Some(version),
                    Told::Accepted | Told::Unknown => None,
                });
                if newest.max().is_some_and(|newest| newest > version) {
                    return Some("a customer is told an older version than before");
                }
            }
        }
    }
    None
}
