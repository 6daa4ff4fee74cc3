//! Seat maps, kept for a moment. A map costs a scan of all seats of its performance, on a reading connection; many who
//! look at the same performance share one scan. A map is a hint: whether a seat can be had is decided by the hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use service_kit::db::Tx;
use service_kit::host::Host;
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::seat::SeatMap;
use crate::{not_found, store};

/// Performances whose maps are kept; beyond that all are forgotten, which costs one scan each.
const KEPT: usize = 256;

/// The last map of one performance; whoever finds it too old makes a new one while the others wait.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<SeatMap>>>>;

/// The maps of the performances that are looked at.
#[derive(Debug, Default)]
pub(crate) struct SeatMaps(Mutex<HashMap<(Uuid, Uuid), Slot>>);

impl SeatMaps {
    /// A map of the concert's performance that is at most that old.
    pub(crate) async fn get(
        &self,
        host: &Host,
        (concert, performance): (Uuid, Uuid),
        staleness_ms: i64,
    ) -> Result<Arc<SeatMap>, Fault> {
        let slot = self.slot((concert, performance));
        let mut last = slot.lock().await;
        let now_ms = host.clock.now_ms();
        let fresh = |map: &&Arc<SeatMap>| (0..staleness_ms).contains(&(now_ms - map.as_of_time));
        if let Some(map) = last.as_ref().filter(fresh) {
            return Ok(map.clone());
        }
        let map = host.db.read(async move |tx| scan(tx, concert, performance).await).await?;
        Ok(last.insert(Arc::new(map)).clone())
    }

    fn slot(&self, performance: (Uuid, Uuid)) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= KEPT && !slots.contains_key(&performance) {
            slots.clear();
        }
        slots.entry(performance).or_default().clone()
    }
}

async fn scan(tx: &mut Tx<'_>, concert: Uuid, performance: Uuid) -> Result<SeatMap, Fault> {
    let found = store::performance(tx, concert, performance).await?;
    let found = found.ok_or_else(|| not_found::performance(concert, performance))?;
    let marks = store::marks(tx, performance).await?;
    Ok(SeatMap::new(found.seat_count, &marks, tx.now_ms()))
}
