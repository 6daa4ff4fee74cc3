//! The statements over tokens.

use service_kit::args;
use service_kit::db::{self, FromRow, Row, Tx};
use uuid::Uuid;

use super::rooms::{ROOM_COLUMNS, count_off, select_rooms};
use crate::queue::{Key, Stay, Token, TokenState};
use crate::room::Room;

macro_rules! token_columns {
    () => {
        "room_id, token_id, customer_id, sequence, state, create_time, activate_time, expire_time"
    };
}

/// Writes a new token, and what its place is drawn by if it is; tells whether its customer had none that is live.
pub(crate) async fn insert_token(tx: &mut Tx<'_>, token: &Token, lot: Option<[u8; 32]>) -> Result<bool, db::Error> {
    const INSERT: &str = "insert into token_tokens (room_id, token_id, customer_id, sequence, state, create_time, \
        shuffle_key) values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    let Token { key, customer, sequence, state, create_time, .. } = *token;
    let lot = lot.as_ref().map(|lot| &lot[..]);
    let args = args![key.room, key.token, customer, sequence, state as i64, create_time, lot];
    Ok(tx.execute(INSERT, args).await? == 1)
}

const TOKEN: &str = concat!("select ", token_columns!(), " from token_tokens where room_id = $1 and token_id = $2");

pub(crate) async fn find_token(tx: &mut Tx<'_>, key: Key) -> Result<Option<Token>, db::Error> {
    tx.fetch_optional(TOKEN, args![key.room, key.token]).await
}

/// A token and its room, in one look.
pub(crate) async fn find_with_room(tx: &mut Tx<'_>, key: Key) -> Result<Option<(Token, Room)>, db::Error> {
    const SELECT: &str = concat!(
        "select r.*, t.* from (select ",
        token_columns!(),
        " from token_tokens where room_id = $1 and token_id = $2) t join (",
        select_rooms!("where room_id = $1"),
        ") r on r.room_id = t.room_id"
    );
    let found: Option<Found> = tx.fetch_optional(SELECT, args![key.room, key.token]).await?;
    Ok(found.map(|Found { token, room }| (token, room)))
}

struct Found {
    token: Token,
    room: Room,
}

impl FromRow for Found {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        Ok(Self { room: Room::from_row(row)?, token: token_at(row, ROOM_COLUMNS)? })
    }
}

/// A token for a change that nobody else gets in the way of.
pub(crate) async fn lock_token(tx: &mut Tx<'_>, key: Key) -> Result<Option<Token>, db::Error> {
    tx.lock_optional(TOKEN, args![key.room, key.token]).await
}

/// The live token of a customer, for a change that nobody else gets in the way of.
pub(crate) async fn lock_live_token(tx: &mut Tx<'_>, room: Uuid, customer: Uuid) -> Result<Option<Token>, db::Error> {
    const SELECT: &str = concat!(
        "select ",
        token_columns!(),
        " from token_tokens where room_id = $1 and customer_id = $2 and state <= 2"
    );
    tx.lock_optional(SELECT, args![room, customer]).await
}

/// Writes that a token is ACTIVE, and until when.
pub(crate) async fn set_active(tx: &mut Tx<'_>, key: Key, stay: Stay) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_tokens set state = 2, activate_time = $3, expire_time = $4 \
        where room_id = $1 and token_id = $2";
    let args = args![key.room, key.token, stay.activate_time, stay.expire_time];
    tx.execute(UPDATE, args).await.map(drop)
}

/// Writes how a token has ended, and why; the first end's time stays. One that was live until now is counted off.
pub(crate) async fn end_token(
    tx: &mut Tx<'_>,
    token: &Token,
    (state, reason): (TokenState, Option<&str>),
) -> Result<(), db::Error> {
    const UPDATE: &str = "update token_tokens set state = $3, end_time = coalesce(end_time, $4), reason = $5 \
        where room_id = $1 and token_id = $2";
    let key = token.key;
    let args = args![key.room, key.token, state as i64, tx.now_ms(), reason];
    let mut statements = vec![(UPDATE, args.to_vec())];
    if token.state.is_live() {
        statements.push(count_off(key.room, token.sequence));
    }
    tx.execute_each(&statements).await.map(drop)
}

/// Ends a live token for a saga whose customer has bought, and counts it off; nothing when there is none.
pub(crate) async fn complete_live(
    tx: &mut Tx<'_>,
    key: Key,
    customer: Uuid,
    saga: Uuid,
) -> Result<Option<Token>, db::Error> {
    const UPDATE: &str = concat!(
        "update token_tokens set state = 3, end_time = $4, saga_id = $3 \
         where room_id = $1 and token_id = $2 and customer_id = $5 and state <= 2 returning ",
        token_columns!()
    );
    let ended: Option<Token> =
        tx.fetch_optional(UPDATE, args![key.room, key.token, saga, tx.now_ms(), customer]).await?;
    if let Some(token) = &ended {
        let (sql, args) = count_off(key.room, token.sequence);
        tx.execute(sql, &args).await?;
    }
    Ok(ended)
}

/// Ends some tokens whose time inside is over, those first whose time was over first: `limit`, and with the last of them
/// all that end at the same moment. Tells which.
pub(crate) async fn expire_active(tx: &mut Tx<'_>, room: Uuid, limit: i64) -> Result<Vec<Token>, db::Error> {
    const UPDATE: &str = concat!(
        "update token_tokens set state = 4, end_time = $2 where room_id = $1 and state = 2 \
        and expire_time <= (select max(expire_time) from (select expire_time from token_tokens \
        where room_id = $1 and state = 2 and expire_time <= $2 order by expire_time limit $3) as first) returning ",
        token_columns!()
    );
    tx.fetch_all(UPDATE, args![room, tx.now_ms(), limit]).await
}

/// Ends at most `limit` waiting tokens with sequences in a range; tells which.
pub(crate) async fn expire_waiting(
    tx: &mut Tx<'_>,
    room: Uuid,
    (from, through): (i64, i64),
    limit: i64,
) -> Result<Vec<Token>, db::Error> {
    const UPDATE: &str = concat!(
        "update token_tokens set state = 4, end_time = $2 where room_id = $1 and state = 1 and sequence >= $3 \
        and sequence <= (select max(sequence) from (select sequence from token_tokens \
        where room_id = $1 and state = 1 and sequence between $3 and $4 order by sequence limit $5) as first) returning ",
        token_columns!()
    );
    tx.fetch_all(UPDATE, args![room, tx.now_ms(), from, through, limit]).await
}

/// The first `count` waiting sequences after `after`: how many there are, and the last of them.
pub(crate) async fn first_waiting(
    tx: &mut Tx<'_>,
    room: Uuid,
    after: i64,
    count: i64,
) -> Result<(i64, i64), db::Error> {
    const SELECT: &str = "select count(*), cast(coalesce(max(sequence), $2) as bigint) from (select sequence \
        from token_tokens where room_id = $1 and state = 1 and sequence > $2 order by sequence limit $3) as first";
    tx.fetch_one(SELECT, args![room, after, count]).await
}

impl FromRow for Token {
    fn from_row(row: &Row<'_>) -> Result<Self, db::Error> {
        token_at(row, 0)
    }
}

fn token_at(row: &Row<'_>, at: usize) -> Result<Token, db::Error> {
    let stay = match (row.get(at + 6)?, row.get(at + 7)?) {
        (Some(activate_time), Some(expire_time)) => Some(Stay { activate_time, expire_time }),
        (None, None) => None,
        _ => return Err(row.corrupt(at + 7, "a stay has a beginning and an end, or neither")),
    };
    Ok(Token {
        key: Key { room: row.get(at)?, token: row.get(at + 1)? },
        customer: row.get(at + 2)?,
        sequence: row.get(at + 3)?,
        state: state(row, at + 4)?,
        create_time: row.get(at + 5)?,
        stay,
    })
}

/// The state that a column holds.
pub(crate) fn state(row: &Row<'_>, index: usize) -> Result<TokenState, db::Error> {
    let number: i64 = row.get(index)?;
    let state = TokenState::ALL.into_iter().find(|state| *state as i64 == number);
    state.ok_or_else(|| row.corrupt(index, format!("no state has the number {number}")))
}
