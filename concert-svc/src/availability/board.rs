//! The last maps of one performance. One look at the seats at a time; whoever came before it began shares what it finds.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use service_kit::db::Tx;
use service_kit::host::Host;
use service_kit::refusal::Fault;
use tokio::sync::watch;
use uuid::Uuid;

use crate::seat_map::SeatMap;
use crate::{not_found, store};

/// Maps that are kept of one performance, for those who are behind: at two a second they have eight seconds.
const MAPS: usize = 16;

/// What is known of one performance.
#[derive(Debug)]
pub(super) struct Board {
    performance: (Uuid, Uuid),
    last: tokio::sync::Mutex<Option<Look>>,
    /// Looks that have begun.
    begun: AtomicU64,
    /// Maps of different versions, the newest last.
    maps: Mutex<VecDeque<Arc<SeatMap>>>,
    /// Counts the changes of `maps`.
    news: watch::Sender<u64>,
    /// Whether a task looks at the seats again and again.
    pub(super) polled: AtomicBool,
}

/// The last look at the seats.
#[derive(Debug)]
struct Look {
    map: Arc<SeatMap>,
    number: u64,
    /// When it began, by the clock of this process.
    begin_ms: i64,
}

impl Board {
    pub(super) fn new(performance: (Uuid, Uuid)) -> Self {
        let (last, begun, maps) = (tokio::sync::Mutex::default(), AtomicU64::default(), Mutex::default());
        Self { performance, last, begun, maps, news: watch::channel(0).0, polled: AtomicBool::default() }
    }

    /// A map that is at most that old.
    pub(super) async fn get(&self, host: &Host, staleness_ms: i64) -> Result<Arc<SeatMap>, Fault> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        let now_ms = host.clock.now_ms();
        let is_fresh =
            |look: &&Look| look.number > begun || (0..staleness_ms).contains(&now_ms.saturating_sub(look.begin_ms));
        if let Some(look) = last.as_ref().filter(is_fresh) {
            return Ok(look.map.clone());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let (performance, known) = (self.performance, last.as_ref().map(|look| look.map.clone()));
        let map = Arc::new(host.db.read(async move |tx| look(tx, performance, known.as_deref()).await).await?);
        *last = Some(Look { map: map.clone(), number, begin_ms: now_ms });
        self.keep(map.clone());
        Ok(map)
    }

    /// The newest map.
    pub(super) fn newest(&self) -> Option<Arc<SeatMap>> {
        self.maps().back().cloned()
    }

    /// A map that whoever has seen that version knows everything of; none when that is too long ago, or yet to come.
    pub(super) fn known_at(&self, version: i64) -> Option<Arc<SeatMap>> {
        let maps = self.maps();
        let is_past = maps.iter().any(|map| map.version >= version);
        let exact = maps.iter().rev().find(|map| map.version == version);
        let known = exact.or_else(|| maps.iter().rev().find(|map| map.version < version));
        known.filter(|_| is_past).cloned()
    }

    /// Hears of every newer map.
    pub(super) fn follow(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Whether somebody watches.
    pub(super) fn is_followed(&self) -> bool {
        self.news.receiver_count() > 0
    }

    fn keep(&self, map: Arc<SeatMap>) {
        let mut maps = self.maps();
        if maps.back().is_some_and(|newest| newest.version == map.version) {
            return;
        }
        maps.push_back(map);
        let excess = maps.len().saturating_sub(MAPS);
        maps.drain(..excess);
        drop(maps);
        self.news.send_modify(|count| *count += 1);
    }

    fn maps(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<SeatMap>>> {
        self.maps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the seats. When none has changed, the database only adds up their versions.
async fn look(
    tx: &mut Tx<'_>,
    (concert, performance): (Uuid, Uuid),
    known: Option<&SeatMap>,
) -> Result<SeatMap, Fault> {
    let found = store::performance(tx, concert, performance).await?;
    let found = found.ok_or_else(|| not_found::performance(concert, performance))?;
    if let Some(known) = known
        && store::map_version(tx, performance).await? == known.version
    {
        return Ok(SeatMap { as_of_time: tx.now_ms(), ..known.clone() });
    }
    let marks = store::marks(tx, performance).await?;
    Ok(SeatMap::new(usize::try_from(found.seat_count).unwrap_or_default(), &marks, tx.now_ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(version: i64) -> Arc<SeatMap> {
        Arc::new(SeatMap { version, seat_count: 0, states: Vec::new(), available: 0, as_of_time: 0 })
    }

    #[test]
    fn who_is_behind_goes_on_from_what_he_knows_as_long_as_it_is_kept() {
        let board = Board::new((Uuid::nil(), Uuid::nil()));
        assert_eq!(board.known_at(1), None);
        let versions = (1..=MAPS as i64 + 2).map(|number| 10 * number);
        versions.clone().for_each(|version| board.keep(map(version)));
        let (oldest, newest) = (30, 10 * (MAPS as i64 + 2));
        let known = |version| board.known_at(version).map(|map| map.version);
        assert_eq!((known(oldest), known(newest)), (Some(oldest), Some(newest)));
        // What another process has seen in between.
        assert_eq!(known(oldest + 5), Some(oldest));
        // Too long ago, and yet to come.
        assert_eq!((known(oldest - 5), known(newest + 5)), (None, None));
        assert_eq!(board.maps().len(), MAPS);
    }

    #[test]
    fn the_same_version_is_no_news() {
        let board = Board::new((Uuid::nil(), Uuid::nil()));
        let mut news = board.follow();
        board.keep(map(1));
        assert!(news.has_changed().unwrap());
        news.mark_unchanged();
        board.keep(map(1));
        assert!(!news.has_changed().unwrap());
    }
}
