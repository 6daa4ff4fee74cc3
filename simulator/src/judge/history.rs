//! What customers were told: held against the rules that judge every run, and against every version that the journal had.

use std::collections::BTreeMap;

use oracle::history::{Call, History, Journal, Outcome, Row, State, judge};
use service_kit::ids;
use uuid::Uuid;

use crate::clients::standing;
use crate::store::Store;
use crate::world::World;

/// Every version of every saga, and where it stood then.
struct Past(BTreeMap<Uuid, BTreeMap<i64, State>>);

impl Journal for Past {
    fn row(&self, saga: Uuid) -> Option<Row> {
        let (version, state) = self.0.get(&saga)?.last_key_value()?;
        Some(Row { state: *state, version: *version })
    }

    fn id_of(&self, kind: &str, subject: &str, key: Uuid) -> Option<Uuid> {
        Some(ids::saga_id(kind, subject, key))
    }
}

pub(crate) fn check(world: &World, store: &Store, calls: Vec<Call>) {
    let mut past = BTreeMap::new();
    store.each(|row| {
        let versions =
            row.past.iter().map(|version| standing(&version.record)).map(|(state, version)| (version, state));
        past.insert(row.record.id, versions.collect::<BTreeMap<_, _>>());
    });
    for call in &calls {
        let (Some(saga), Outcome::Ok { state, version }) = (call.saga, &call.outcome) else { continue };
        if past.get(&saga).and_then(|versions| versions.get(version)) != Some(state) {
            world.violated(format!("saga {saga}: a customer is told what the journal never held: {state:?} {version}"));
        }
    }
    for broken in judge(&History { calls, lost: 0 }, &Past(past), Some(world.moment())) {
        world.violated(format!("{}: {}", broken.rule, broken.what));
    }
}
