//! Work that runs by itself: lapsed holds are swept, so that counts and seat maps tell the truth. Nothing depends on it.

use service_kit::db::{self, Db};

use crate::{hold, store};

/// Ends all holds that have lapsed, a batch in each transaction; tells how many. When several processes sweep, each hold
/// is ended by one of them.
///
/// # Errors
/// Of the store; the batches before it stay done.
pub async fn sweep(db: &Db, batch: i64) -> Result<u64, db::Error> {
    let mut swept = 0;
    loop {
        let mut lapsed = db.read(async move |tx| store::lapsed(tx, batch).await).await?;
        let more = lapsed.len() as i64 == batch;
        // In the order in which others take them, who may be at it too.
        lapsed.sort();
        let end = async move |tx: &mut db::Tx<'_>| {
            let mut ended = 0;
            for id in lapsed {
                ended += u64::from(hold::lapse(tx, id).await?);
            }
            Ok::<_, db::Error>(ended)
        };
        let ended = db.write(end).await?;
        swept += ended;
        if !more || ended == 0 {
            return Ok(swept);
        }
    }
}
