//! The keys that passes are signed with. The newest signs; the older ones may have signed a pass that is still valid.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};

/// A key as it is stored.
#[derive(Clone)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    pub(crate) secret: [u8; 32],
}

pub(crate) async fn signing_keys(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>, db::Error> {
    const SELECT: &str = "select kid, secret from token_signing_keys order by generation";
    tx.fetch_all(SELECT, &[]).await
}

/// Adds the first key, unless there is one by now.
pub(crate) async fn insert_first_key(tx: &mut Tx<'_>, key: &StoredKey) -> Result<(), db::Error> {
    const INSERT: &str = "insert into token_signing_keys (kid, secret, create_time, generation) values ($1, $2, $3, 1) \
        on conflict do nothing";
    let args = args![&key.kid, &key.secret[..], tx.now_ms()];
    tx.execute(INSERT, args).await.map(drop)
}

impl FromRow for StoredKey {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        let secret: Vec<u8> = row.get(1)?;
        let length = secret.len();
        let secret = secret.try_into().map_err(|_| row.corrupt(1, format!("it has {length} bytes, not 32")))?;
        Ok(Self { kid: row.get(0)?, secret })
    }
}
