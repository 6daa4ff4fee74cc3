//! Those who watch a map. One task looks at the seats for all who watch a performance, and each of them compares what he
//! has seen last with the newest map. So nothing is queued for anybody: who is slow skips what was in between, and who is
//! too slow for the maps that are kept is told so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use service_kit::host::Host;
use service_kit::refusal::{Fault, Refusal};
use tonic::Code;

use super::board::Board;
use crate::seat_map::SeatMap;
use crate::state::SeatState;

/// Rounds that the task goes on when the last one has left: whoever comes back soon gets what he has missed.
const LINGERING: u32 = 20;

/// What changed on the way to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) version: i64,
    /// States by ordinal.
    pub(crate) seats: Vec<(usize, SeatState)>,
}

/// The changes of a map, until whoever watches is lost or the service stops.
pub(crate) type Changes = BoxStream<'static, Result<Change, Lost>>;

/// Whoever watches was so slow that the map which he knows is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

impl From<Lost> for Refusal {
    fn from(_: Lost) -> Self {
        let message = "the changes came faster than they were read; read the whole map again";
        Self::new(Code::ResourceExhausted, "WATCHER_TOO_SLOW", message)
    }
}

/// One who watches.
struct Watcher {
    board: Arc<Board>,
    news: tokio::sync::watch::Receiver<u64>,
    host: Host,
    /// The version that he has seen.
    seen: i64,
    is_lost: bool,
}

/// Begins to watch, from a version that somebody has seen or from now on.
pub(super) async fn begin(
    board: &Arc<Board>,
    host: &Host,
    period: Duration,
    from: Option<i64>,
) -> Result<Changes, Fault> {
    let mut news = board.follow();
    let staleness_ms = i64::try_from(period.as_millis()).unwrap_or(i64::MAX);
    let mut newest = board.get(host, staleness_ms).await?;
    poll(board, host, period);
    if from.is_some_and(|from| from > newest.version) {
        // Somebody else has looked later.
        newest = board.get(host, 0).await?;
    }
    let seen = from.unwrap_or(newest.version);
    if board.known_at(seen).is_none() {
        return Err(too_old(seen, newest.version).into());
    }
    // What is there already is news to him.
    news.mark_changed();
    let watcher = Watcher { board: board.clone(), news, host: host.clone(), seen, is_lost: false };
    Ok(Box::pin(stream::unfold(watcher, |mut watcher| async move {
        let next = watcher.next().await?;
        Some((next, watcher))
    })))
}

impl Watcher {
    async fn next(&mut self) -> Option<Result<Change, Lost>> {
        while !self.is_lost {
            self.host.stop.run_until_cancelled(self.news.changed()).await?.ok()?;
            let newest = self.board.newest()?;
            let Some(known) = self.board.known_at(self.seen) else {
                self.is_lost = true;
                return Some(Err(Lost));
            };
            if let Some(change) = self.step(&known, &newest) {
                return Some(Ok(change));
            }
        }
        None
    }

    /// Nothing when all looks as before, for example when a lapsed hold was swept.
    fn step(&mut self, known: &SeatMap, newest: &SeatMap) -> Option<Change> {
        self.seen = newest.version;
        let seats = newest.changes_since(known);
        (!seats.is_empty()).then_some(Change { version: newest.version, seats })
    }
}

/// Has a task look at the seats, unless one does.
fn poll(board: &Arc<Board>, host: &Host, period: Duration) {
    if !board.polled.swap(true, Ordering::SeqCst) {
        host.tasks.spawn(look_again(board.clone(), host.clone(), period));
    }
}

async fn look_again(board: Arc<Board>, host: Host, period: Duration) {
    let mut rounds_alone = 0;
    while host.stop.run_until_cancelled(tokio::time::sleep(period)).await.is_some() {
        if let Err(fault) = board.get(&host, 0).await {
            tracing::debug!(?fault, "a seat map that is watched could not be read; the next round tries again");
        }
        rounds_alone = if board.is_followed() { 0 } else { rounds_alone + 1 };
        if rounds_alone >= LINGERING {
            board.polled.store(false, Ordering::SeqCst);
            // Somebody may have come just before, and seen that there is a task.
            if !board.is_followed() || board.polled.swap(true, Ordering::SeqCst) {
                return;
            }
            rounds_alone = 0;
        }
    }
}

fn too_old(version: i64, newest: i64) -> Refusal {
    let message = format!("what changed since version {version} is not known here; read the whole map again");
    Refusal::new(Code::OutOfRange, "VERSION_TOO_OLD", message).with("version", newest)
}
