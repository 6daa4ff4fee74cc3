//! The key that passes are signed with: made at the first start, the same after every restart, so that a pass outlives
//! one.

use service_kit::db;
use service_kit::host::Host;
use service_kit::ids;
use service_kit::pass::{SigningKey, VerifyingKeys};

use crate::store::{self, StoredKey};

/// The key that signs, and all that may have signed a pass which is still valid.
pub(crate) async fn load(host: &Host) -> Result<(SigningKey, VerifyingKeys), db::Error> {
    let new = StoredKey { kid: host.ids.next(host.clock.now_ms()).to_string(), secret: ids::secret() };
    let load = host.db.write(async move |tx| {
        let mut stored = store::signing_keys(tx).await?;
        if stored.is_empty() {
            // Of several processes that start at once, one makes the key and all use it.
            store::insert_first_key(tx, &new).await?;
            stored = store::signing_keys(tx).await?;
        }
        let newest = stored.pop();
        let newest = newest.ok_or_else(|| db::Error::Bug("a key that was inserted cannot be found".into()))?;
        Ok::<_, db::Error>((newest, stored))
    });
    let (newest, older) = load.await?;
    let signing = SigningKey::seeded(&newest.kid, &newest.secret);
    let trusted = VerifyingKeys::default();
    for key in older {
        trusted.trust(&SigningKey::seeded(&key.kid, &key.secret));
    }
    trusted.trust(&signing);
    Ok((signing, trusted))
}
