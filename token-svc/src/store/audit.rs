//! The statements over what operators did. What happens to a token otherwise is no more than three changes, each with its
//! time in the token's own row.

use service_kit::args;
use service_kit::db::{self, Tx};
use service_kit::ids;
use uuid::Uuid;

/// Who acts, until callers say who they are.
const OPERATOR: &str = "operator";

/// What an operator did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) room: Uuid,
    /// The token, if it was about one.
    pub(crate) token: Option<Uuid>,
    /// The method of the contract.
    pub(crate) method: &'a str,
    pub(crate) from_state: &'a str,
    pub(crate) to_state: &'a str,
    pub(crate) reason: &'a str,
    /// Which change of the room or token it was: acts with different ones are different.
    pub(crate) version: i64,
}

/// Keeps what an operator did, once.
pub(crate) async fn note(tx: &mut Tx<'_>, act: Act<'_>) -> Result<(), db::Error> {
    const INSERT: &str = "insert into token_audit (room_id, id, token_id, method, from_state, to_state, actor, reason, \
        create_time) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";
    let now_ms = tx.now_ms();
    let id = ids::derived_at(now_ms, act.token.unwrap_or(act.room), &format!("{}@{}", act.method, act.version));
    let args = args![act.room, id, act.token, act.method, act.from_state, act.to_state, OPERATOR, act.reason, now_ms];
    tx.execute(INSERT, args).await.map(drop)
}
