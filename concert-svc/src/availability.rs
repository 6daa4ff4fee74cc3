//! Seat maps, kept for a moment and followed by those who watch. A map costs a look at all seats of its performance, on a
//! reading connection; all who look at the same performance share it, however many they are. A map is a hint: whether a
//! seat can be had is decided by the hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use service_kit::host::Host;
use service_kit::refusal::{Fault, Refusal};
use tonic::Code;
use uuid::Uuid;

use crate::seat_map::SeatMap;

mod board;
mod watch;

use board::Board;
pub(crate) use watch::{Change, Changes};

/// Performances whose maps are kept. When more are asked for, those that nobody watches are forgotten, which costs a look
/// each; of a performance with 100,000 seats the kept maps have 400 kB at most.
const KEPT: usize = 256;
/// When to come back while that many are watched.
const LATER: Duration = Duration::from_secs(5);

/// The maps of the performances that are looked at.
#[derive(Debug)]
pub(crate) struct SeatMaps {
    boards: Mutex<HashMap<(Uuid, Uuid), Arc<Board>>>,
    /// How often a map that is watched is looked at.
    period: Duration,
}

impl SeatMaps {
    pub(crate) fn new(period: Duration) -> Self {
        Self { boards: Mutex::default(), period }
    }

    /// A map of the concert's performance that is at most that old.
    pub(crate) async fn get(
        &self,
        host: &Host,
        performance: (Uuid, Uuid),
        staleness_ms: i64,
    ) -> Result<Arc<SeatMap>, Fault> {
        self.board(performance)?.get(host, staleness_ms).await
    }

    /// Follows the map from that version on, or from now on.
    pub(crate) async fn watch(
        &self,
        host: &Host,
        performance: (Uuid, Uuid),
        from: Option<i64>,
    ) -> Result<Changes, Fault> {
        let board = self.board(performance)?;
        watch::begin(&board, host, self.period, from).await
    }

    fn board(&self, performance: (Uuid, Uuid)) -> Result<Arc<Board>, Refusal> {
        let mut boards = self.boards.lock().unwrap_or_else(PoisonError::into_inner);
        if boards.len() >= KEPT && !boards.contains_key(&performance) {
            boards.retain(|_, board| board.is_followed());
            if boards.len() >= KEPT {
                let message = format!("{KEPT} performances are watched already; come back later");
                return Err(Refusal::new(Code::ResourceExhausted, "OVERLOADED", message).retry_after(LATER));
            }
        }
        Ok(boards.entry(performance).or_insert_with(|| Arc::new(Board::new(performance))).clone())
    }
}
