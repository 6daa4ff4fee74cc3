//! Work that runs by itself: lapsed holds are swept, so that counts and seat maps tell the truth. Nothing depends on it.

use service_kit::db::{self, Db};

use crate::hold;
use crate::record::Cause;

/// Ends all holds that have lapsed, a batch in each transaction; tells how many. When several processes sweep, each hold
/// is ended by one of them. Events tell of it if they are to.
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
