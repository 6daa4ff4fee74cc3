//! How a configuration says which buckets lie in which database.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use service_kit::clock::SystemClock;
use service_kit::config;
use service_kit::process::{self, BoxError, Database};

use crate::start::Spread;

/// One PostgreSQL database that sagas are spread over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardSettings {
    /// The buckets in it, of 0 to 1023: `0-511`.
    pub buckets: String,
    /// As `database.url`.
    pub url: String,
}

impl ShardSettings {
    fn range(&self) -> Result<RangeInclusive<i64>, config::Error> {
        let ends = self
            .buckets
            .split_once('-')
            .and_then(|(first, last)| Some((first.trim().parse::<i64>().ok()?, last.trim().parse::<i64>().ok()?)));
        match ends {
            Some((first, last)) if first <= last => Ok(first..=last),
            _ => Err(config::Error::value("shards.buckets", &self.buckets, "must be a range such as 0-511")),
        }
    }
}

/// Connects to all of them; else as `database` says.
///
/// # Errors
/// When a range is wrong, or a database cannot be reached.
pub async fn open(shards: &[ShardSettings], database: &Database) -> Result<Spread, BoxError> {
    let mut spread = Spread::new();
    for shard in shards {
        let database = Database { url: shard.url.clone(), ..database.clone() };
        if !database.is_remote() {
            return Err(config::Error::value("shards.url", "\"\"", "must begin with postgresql://").into());
        }
        let db = process::open(Path::new(""), (&database, "orchestrator"), Arc::new(SystemClock)).await?;
        spread.push((shard.range()?, db));
    }
    Ok(spread)
}
