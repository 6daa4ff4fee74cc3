//! Work that runs by itself: lapsed holds are swept, so that counts and seat maps tell the truth. Nothing depends on it.

use service_kit::db::{self, Db};

use crate::{hold, store};

/// Ends all holds that have lapsed, a batch in each transaction; tells how many.
///
/// # Errors
/// Of the store; the batches before it stay done.
pub async fn sweep(db: &Db, batch: i64) -> Result<u64, db::Error> {
    let mut swept = 0;
    loop {
        let lapsed = db.read(async move |tx| store::lapsed(tx, batch).await).await?;
        let more = lapsed.len() as i64 == batch;
        let ended = async move |tx: &mut db::Tx<'_>| {
            let mut ended = 0;
            for id in lapsed {
                ended += u64::from(hold::lapse(tx, id).await?);
            }
            Ok::<_, db::Error>(ended)
        };
        swept += db.write(ended).await?;
        if !more {
            return Ok(swept);
        }
    }
}
