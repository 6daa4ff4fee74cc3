//! The journal as plain maps under one lock: what every move means, without a database. The reference for the journal
//! over SQL, and enough for a simulation. It forgets everything with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use service_kit::clock::Clock;
use service_kit::db;
use service_kit::outbox::Event;
use tokio::sync::watch;
use uuid::Uuid;

use super::hub::Hub;
use super::{Accepted, Adopted, Append, Entry, Error, Journal, Orphans, Query, Record, Statistics};
use crate::exposure::Exposure;

/// A journal that lives as long as its process.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    memory: Mutex<Memory>,
    hub: Hub,
    /// How long incarnations live, and by which clock; none where there is one at a time.
    lease: Option<(Duration, Arc<dyn Clock>)>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Incarnations, and when their leases run out.
    incarnations: BTreeMap<Uuid, i64>,
    records: BTreeMap<Uuid, Arc<Record>>,
    /// Those that wait for somebody to mend them.
    parked: BTreeSet<Uuid>,
    exposures: BTreeMap<Uuid, Exposure>,
    history: BTreeMap<(Uuid, i64, i64), Entry>,
    outbox: BTreeMap<(i64, Uuid), Event>,
}

impl MemoryJournal {
    /// A journal that several orchestrators share, whose incarnations live for `lease` by `clock`.
    pub fn shared(lease: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { lease: Some((lease, clock)), ..Self::default() }
    }

    fn now_ms(&self) -> i64 {
        self.lease.as_ref().map_or(0, |(_, clock)| clock.now_ms())
    }

    fn expire_time(&self) -> i64 {
        self.lease.as_ref().map_or(i64::MAX, |(lease, clock)| super::after(clock.now_ms(), *lease))
    }

    /// The events so far, by bucket and id.
    pub fn events(&self) -> Vec<Event> {
        self.memory().outbox.values().cloned().collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn lease(&self) -> Option<Duration> {
        self.lease.as_ref().map(|(lease, _)| *lease)
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        let mut memory = self.memory();
        if self.lease.is_none() {
            memory.incarnations.clear();
        }
        memory.incarnations.insert(incarnation, self.expire_time());
        Ok(())
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        let (now_ms, expire_time) = (self.now_ms(), self.expire_time());
        let mut memory = self.memory();
        let lease = memory.incarnations.get_mut(&incarnation).filter(|lease| **lease > now_ms);
        Ok(lease.map(|lease| *lease = expire_time).is_some())
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        self.memory().incarnations.remove(&incarnation);
        Ok(())
    }

    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error> {
        // Ids are made in the order of their time.
        let (now_ms, memory) = (self.now_ms(), self.memory());
        let eldest = memory.incarnations.iter().find(|(_, lease)| **lease > now_ms);
        Ok(eldest.is_some_and(|(id, _)| *id == incarnation))
    }

    async fn settled(&self) -> Result<(), Error> {
        Ok(())
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        let next = first.next.clone();
        let mut memory = self.memory();
        if let Some(existing) = memory.records.get(&next.id) {
            return Ok(Accepted::Existing(Box::new(Record::clone(existing))));
        }
        memory.write(first)?;
        drop(memory);
        self.hub.feed(&next);
        Ok(Accepted::New)
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let next = append.next.clone();
        let mut memory = self.memory();
        let stored = memory.records.get(&next.id).ok_or(Error::Fenced)?;
        let continues = stored.version == next.version - 1 && stored.epoch == next.epoch;
        if !continues || stored.saga.is_terminal() {
            return Err(Error::Fenced);
        }
        memory.write(append)?;
        drop(memory);
        self.hub.feed(&next);
        Ok(())
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        let now_ms = self.now_ms();
        let mut memory = self.memory();
        let adopted: Vec<_> = memory
            .orphans(owner, orphans, now_ms)
            .into_iter()
            .map(|mut record| {
                record.owner = owner;
                record.epoch += 1;
                Arc::new(record)
            })
            .collect();
        for record in &adopted {
            memory.parked.remove(&record.id);
            memory.records.insert(record.id, record.clone());
        }
        drop(memory);
        adopted.iter().for_each(|record| self.hub.feed(record));
        let saga = |record| Adopted::Saga(Box::new(Arc::unwrap_or_clone(record)));
        Ok(adopted.into_iter().map(saga).collect())
    }

    async fn park(&self, id: Uuid, _problem: &str) -> Result<bool, Error> {
        let mut memory = self.memory();
        let is_open = memory.records.get(&id).is_some_and(|record| record.saga.is_open());
        if is_open {
            memory.parked.insert(id);
        }
        Ok(is_open)
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        Ok(self.memory().records.get(&id).map(|record| Record::clone(record)))
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        let memory = self.memory();
        let mut found: Vec<_> = memory.records.values().filter(|record| fits(record, query)).collect();
        found.sort_unstable_by_key(|record| std::cmp::Reverse((record.create_time, record.id)));
        let page = found.into_iter().take(query.limit);
        Ok(page.map(|record| Record::clone(record)).collect())
    }

    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        let memory = self.memory();
        let from = Bound::Excluded((id, after.0, after.1));
        let to = Bound::Included((id, i64::MAX, i64::MAX));
        let entries = memory.history.range((from, to)).take(limit);
        Ok(entries.map(|(_, entry)| entry.clone()).collect())
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        let memory = self.memory();
        let owned = memory.records.values().filter(|record| {
            record.owner == owner
                && record.saga.is_open()
                && !record.saga.is_suspended()
                && !memory.parked.contains(&record.id)
                && after.is_none_or(|after| record.id > after)
        });
        Ok(owned.take(limit).map(|record| record.id).collect())
    }

    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        let memory = self.memory();
        let recent = memory.records.values().filter(|record| record.create_time >= since_ms);
        let exposure = |id: &Uuid| memory.exposures.get(id).cloned().unwrap_or_default();
        Ok(Statistics::of(recent.map(|record| (&**record, exposure(&record.id)))))
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.hub.watch(id)
    }
}

impl Memory {
    /// All of it or nothing.
    fn write(&mut self, append: Append) -> Result<(), Error> {
        let Append { next, facts, events, exposure } = append;
        let mut outbox = BTreeMap::new();
        for event in events {
            let key = (event.bucket, event.id);
            if self.outbox.contains_key(&key) || outbox.insert(key, event).is_some() {
                let problem = "an event of this id was announced before".to_owned();
                return Err(Error::Store(db::Error::Constraint(problem)));
            }
        }
        self.outbox.append(&mut outbox);
        for (position, fact) in (1..).zip(facts) {
            let entry = Entry { version: next.version, position, epoch: next.epoch, time: next.update_time, fact };
            self.history.insert((next.id, next.version, position), entry);
        }
        self.exposures.insert(next.id, exposure);
        self.records.insert(next.id, next);
        Ok(())
    }

    fn orphans(&self, owner: Uuid, orphans: Orphans, now_ms: i64) -> Vec<Record> {
        let open = |record: &&Arc<Record>| record.saga.is_open();
        let mut found: Vec<_> = match orphans {
            Orphans::One(id) => self.records.get(&id).filter(open).into_iter().collect(),
            Orphans::Any(_) => self.records.values().filter(open).collect(),
        };
        if let Orphans::Any(limit) = orphans {
            let lives = |owner: &Uuid| self.incarnations.get(owner).is_some_and(|lease| *lease > now_ms);
            let parked = |id: &Uuid| self.parked.contains(id);
            found.retain(|record| record.owner != owner && !lives(&record.owner) && !parked(&record.id));
            found.sort_unstable_by_key(|record| (record.owner, record.id));
            found.truncate(limit);
        }
        found.into_iter().map(|record| Record::clone(record)).collect()
    }
}

/// Whether the saga is one that the query asks for.
pub(crate) fn fits(record: &Record, query: &Query) -> bool {
    let is = |wanted: &Option<String>, actual: &String| wanted.as_ref().is_none_or(|wanted| wanted == actual);
    is(&query.kind, &record.kind)
        && is(&query.subject, &record.subject)
        && is(&query.reference, &record.reference)
        && (query.states.is_empty() || query.states.contains(&record.saga.state().name()))
        && query.before.is_none_or(|before| (record.create_time, record.id) < before)
}
