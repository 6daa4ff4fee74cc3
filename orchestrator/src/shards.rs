//! The databases that sagas are spread over, each with the buckets that lie in it. Each has a journal, an incarnation and a
//! runner of its own, so that one that is down holds up its own sagas and nobody else's. Usually there is one.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use service_kit::clock::Stopwatch;
use service_kit::db::Db;
use service_kit::host::Host;
use service_kit::ids::{self, BUCKETS};
use uuid::Uuid;

use crate::journal::{Accepted, Entry, Error, Journal, Query, Record, Statistics};
use crate::runner::{self, Intervention, NewSaga, Runner};

mod settings;

pub use settings::{ShardSettings, open};

/// One of the databases.
#[derive(Debug, Clone)]
pub struct Shard {
    /// The buckets in it.
    pub buckets: RangeInclusive<i64>,
    /// Its journal.
    pub journal: Arc<dyn Journal>,
    /// Who drives the sagas in it.
    pub runner: Runner,
}

/// All of them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shards(Arc<[Shard]>);

/// The buckets are not spread over the databases as they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bucket {bucket} lies in {count} databases, and must lie in one; the buckets are 0 to {last}", last = BUCKETS - 1)]
pub struct Uneven {
    /// The first bucket of which this is so.
    pub bucket: i64,
    /// How many databases hold it.
    pub count: usize,
}

/// Checks that every bucket lies in exactly one of the ranges.
///
/// # Errors
/// The first bucket that does not.
pub fn check(ranges: &[RangeInclusive<i64>]) -> Result<(), Uneven> {
    let outside = ranges.iter().flat_map(|range| [*range.start(), *range.end()]);
    let outside = outside.filter(|bucket| !(0..BUCKETS).contains(bucket)).map(|bucket| Uneven { bucket, count: 1 });
    let counts = (0..BUCKETS).map(|bucket| {
        let count = ranges.iter().filter(|range| range.contains(&bucket)).count();
        Uneven { bucket, count }
    });
    counts.filter(|uneven| uneven.count != 1).chain(outside).next().map_or(Ok(()), Err)
}

/// The databases of all shards; the host's where sagas are not spread.
pub fn databases(host: &Host, spread: &[(RangeInclusive<i64>, Db)]) -> Vec<Db> {
    if spread.is_empty() { vec![host.db.clone()] } else { spread.iter().map(|(_, db)| db.clone()).collect() }
}

impl Shards {
    /// The given ones, which hold every bucket once.
    pub(crate) fn new(shards: Vec<Shard>) -> Self {
        debug_assert_eq!(check(&shards.iter().map(|shard| shard.buckets.clone()).collect::<Vec<_>>()), Ok(()));
        Self(shards.into())
    }

    /// Whether new sagas are turned away, those of a part of the buckets at least.
    pub fn is_full(&self) -> bool {
        self.iter().any(|shard| shard.runner.is_full())
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter()
    }

    /// Where a saga lies.
    pub(crate) fn of(&self, saga: Uuid) -> &Shard {
        let bucket = ids::bucket(saga);
        self.0.iter().find(|shard| shard.buckets.contains(&bucket)).expect("every bucket lies in a database")
    }

    /// Starts a saga where it lies, or finds the one of that id; see [`Runner::accept`].
    ///
    /// # Errors
    /// As there.
    pub async fn accept(&self, new: NewSaga) -> Result<Accepted, runner::Error> {
        self.of(new.id).runner.accept(new).await
    }

    /// Has a person's wish carried out where the saga lies; see [`Runner::intervene`].
    ///
    /// # Errors
    /// As there.
    pub async fn intervene(&self, saga: Uuid, intervention: Intervention) -> Result<Arc<Record>, runner::Error> {
        self.of(saga).runner.intervene(saga, intervention).await
    }

    /// A saga as it stands.
    ///
    /// # Errors
    /// Of its journal.
    pub async fn load(&self, saga: Uuid) -> Result<Option<Record>, Error> {
        self.of(saga).journal.load(saga).await
    }

    pub(crate) async fn history(&self, saga: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        self.of(saga).journal.history(saga, after, limit).await
    }

    /// A page over all databases: without one of them it would be no such page, so then it is an error.
    pub(crate) async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        let mut all = Vec::new();
        for shard in self.iter() {
            all.extend(shard.journal.list(query).await?);
        }
        if self.0.len() > 1 {
            all.sort_unstable_by_key(|record| std::cmp::Reverse((record.create_time, record.id)));
            all.truncate(query.limit);
        }
        Ok(all)
    }

    /// Over all databases.
    pub(crate) async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        let mut all = Statistics::default();
        for shard in self.iter() {
            all = all.and(shard.journal.statistics(since_ms).await?);
        }
        Ok(all)
    }

    /// How many sagas are under way in this process.
    pub fn driven(&self) -> usize {
        self.iter().map(|shard| shard.runner.driven()).sum()
    }

    /// Accepts nothing more, lets sagas go on for at most `drain`, then stops and gives them up, so that another process
    /// goes on at once.
    ///
    /// # Errors
    /// When a journal cannot be told; then the lease has to run out first.
    pub async fn shut_down(&self, drain: Duration) -> Result<(), Error> {
        self.iter().for_each(|shard| shard.runner.accept_no_more());
        let draining = Stopwatch::start();
        while self.driven() > 0 && i128::from(draining.elapsed_ms()) < drain.as_millis() as i128 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let told = futures_util::future::join_all(self.iter().map(|shard| shard.runner.give_up())).await;
        told.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_lies_in_one_database() {
        assert_eq!(check(&[0..=1023]), Ok(()));
        assert_eq!(check(&[512..=1023, 0..=511]), Ok(()));
        assert_eq!(check(&[0..=511, 513..=1023]), Err(Uneven { bucket: 512, count: 0 }));
        assert_eq!(check(&[0..=512, 512..=1023]), Err(Uneven { bucket: 512, count: 2 }));
        assert_eq!(check(&[0..=1024]), Err(Uneven { bucket: 1024, count: 1 }));
        assert_eq!(check(&[]), Err(Uneven { bucket: 0, count: 0 }));
    }
}
