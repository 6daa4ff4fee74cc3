//! Work that runs by itself: lapsed holds are swept and performances that are over are closed, so that whoever reads the
//! tables finds the truth in them. Nothing depends on it: time alone decides, at each call. That a booking window opens or
//! closes is nothing to note, so there is no work for it.

use service_kit::db::{self, Db};

use crate::record::Cause;
use crate::{hold, store};

/// Ends all holds that have lapsed, a batch in each transaction; tells how many. When several processes sweep, each hold
/// is ended by one of them, and none waits for another. Events tell of it if they are to.
///
/// # Errors
/// Of the store; the batches before it stay done.
pub async fn sweep(db: &Db, batch: i64, announces_holds: bool) -> Result<u64, db::Error> {
    let mut swept = 0;
    loop {
        let ended = db.write(async move |tx| hold::lapse_some(tx, batch, &Cause::time(announces_holds)).await).await?;
        swept += ended as u64;
        if (ended as i64) < batch {
            return Ok(swept);
        }
    }
}

/// Notes of all performances that are over that they are, a batch in each transaction; tells of how many.
///
/// # Errors
/// Of the store; the batches before it stay done.
pub async fn close_performances(db: &Db, batch: i64) -> Result<u64, db::Error> {
    let mut closed = 0;
    loop {
        let over = db.write(async move |tx| store::close_performances(tx, batch).await).await?;
        closed += over as u64;
        if (over as i64) < batch {
            return Ok(closed);
        }
    }
}
