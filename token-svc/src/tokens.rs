//! What happens to tokens, within the caller's transaction: the rules of `queue.rs` and `room.rs` over the statements of
//! the store. A token whose time is over ends as EXPIRED before anything else is done with it, and whoever ends a live
//! token counts it off in its room.

use service_kit::db::{self, Tx};
use service_kit::refusal::Fault;
use uuid::Uuid;

use crate::events;
use crate::queue::{self, Key, Place, Token, TokenState};
use crate::room::{self, Room};
use crate::store::{self, Act};

/// Takes a place at the end of the line, or returns the live one that the customer has.
pub(crate) async fn issue(tx: &mut Tx<'_>, key: Key, customer: Uuid) -> Result<Place, Fault> {
    let now_ms = tx.now_ms();
    loop {
        if let Some(place) = live(tx, key.room, customer).await?.filter(|place| place.token.state.is_live()) {
            return Ok(place);
        }
        // Whoever joins, joins one after the other; so sequences have no gaps and the room is not overfilled.
        let mut room = lock_room(tx, key.room).await?;
        room.expect_joinable(now_ms)?;
        if room.is_draw_due(now_ms) {
            // Whoever began to join before the opening and gets the room only now stands behind as well.
            store::begin_draw(tx, key.room).await?;
        }
        let (next, state) = (room.issued_count + 1, TokenState::Waiting);
        let sequence = if room.is_drawing_lots(now_ms) { -next } else { next };
        let token = Token { key, customer, sequence, state, create_time: now_ms, stay: None };
        if store::insert_token(tx, &token, lot(&room, &token)).await? {
            store::count_in(tx, &mut room).await?;
            return Ok(Place { room, token, now_ms });
        }
        // The customer asks twice at once, and the other was first. Nobody else joins from now on, so this does not repeat.
    }
}

/// What a token's place is drawn by, if it is.
pub(crate) fn lot(room: &Room, token: &Token) -> Option<[u8; 32]> {
    room.shuffle_seed.filter(|_| token.sequence < 0).map(|seed| seed.lot(token.key.token))
}

/// The live token of a customer as the time has left it, which may be its end.
pub(crate) async fn live(tx: &mut Tx<'_>, room: Uuid, customer: Uuid) -> Result<Option<Place>, Fault> {
    let now_ms = tx.now_ms();
    let Some(token) = store::lock_live_token(tx, room, customer).await? else {
        return Ok(None);
    };
    let room = expect_room(tx, room).await?;
    Ok(Some(lapse(tx, Place { room, token, now_ms }).await?))
}

/// Reads a token and its room, and changes nothing.
pub(crate) async fn look(tx: &mut Tx<'_>, key: Key) -> Result<Place, Fault> {
    let now_ms = tx.now_ms();
    let found = store::find_with_room(tx, key).await?;
    let (token, room) = found.ok_or_else(|| queue::not_found(key))?;
    Ok(Place { room, token, now_ms })
}

/// Makes a token ACTIVE whose turn has come.
pub(crate) async fn claim(tx: &mut Tx<'_>, key: Key) -> Result<Place, Fault> {
    let mut place = current(tx, key).await?;
    if place.is_unclaimed() {
        let stay = place.claimed();
        store::set_active(tx, key, stay).await?;
        place.token = Token { state: TokenState::Active, stay: Some(stay), ..place.token };
    }
    Ok(place)
}

/// Gives a live token up, for its customer.
pub(crate) async fn leave(tx: &mut Tx<'_>, key: Key) -> Result<Place, Fault> {
    let place = current(tx, key).await?;
    if place.token.state.is_live() {
        return Ok(end(tx, place, TokenState::Left, None).await?);
    }
    Ok(place)
}

/// Keeps a token ACTIVE until `min_expire_time`, as far as its room lets it.
pub(crate) async fn extend(tx: &mut Tx<'_>, key: Key, min_expire_time: i64) -> Result<Place, Fault> {
    let mut place = current(tx, key).await?;
    let stay = place.extended(min_expire_time)?;
    store::set_active(tx, key, stay).await?;
    place.token.stay = Some(stay);
    Ok(place)
}

/// Takes a token away from its customer, whatever has become of it.
pub(crate) async fn revoke(tx: &mut Tx<'_>, key: Key, reason: &str) -> Result<Place, Fault> {
    let place = locked(tx, key).await?;
    if place.token.state == TokenState::Revoked {
        return Ok(place);
    }
    let act = Act {
        room: key.room,
        token: Some(key.token),
        method: "RevokeQueueToken",
        from_state: place.state().name(),
        to_state: TokenState::Revoked.name(),
        reason,
        version: 0,
    };
    store::note(tx, act).await?;
    Ok(end(tx, place, TokenState::Revoked, Some(reason)).await?)
}

/// Ends a live token whose customer has bought. Any other stays as it is, and it is no fault if there is none: the
/// purchase is final.
pub(crate) async fn complete(
    tx: &mut Tx<'_>,
    key: Key,
    customer: Uuid,
    saga: Uuid,
) -> Result<Option<Token>, db::Error> {
    match store::complete_live(tx, key, customer, saga).await? {
        Some(token) => {
            events::tokens_ended(tx, &[token], Some(saga)).await?;
            Ok(Some(token))
        }
        None => Ok(store::find_token(tx, key).await?.filter(|token| token.customer == customer)),
    }
}

/// A room, which must exist.
pub(crate) async fn expect_room(tx: &mut Tx<'_>, id: Uuid) -> Result<Room, Fault> {
    let found = store::find_room(tx, id).await?;
    Ok(found.ok_or_else(|| room::not_found(id))?)
}

/// A room, which must exist, for a change that nobody else gets in the way of.
pub(crate) async fn lock_room(tx: &mut Tx<'_>, id: Uuid) -> Result<Room, Fault> {
    let found = store::lock_room(tx, id).await?;
    Ok(found.ok_or_else(|| room::not_found(id))?)
}

/// The token as the time has left it; nobody else changes it until the transaction ends.
async fn current(tx: &mut Tx<'_>, key: Key) -> Result<Place, Fault> {
    let place = locked(tx, key).await?;
    Ok(lapse(tx, place).await?)
}

/// As [`look`], and nobody else changes the token until the transaction ends. Its room may change still: tokens come
/// first, rooms second, in whatever changes both.
async fn locked(tx: &mut Tx<'_>, key: Key) -> Result<Place, Fault> {
    let now_ms = tx.now_ms();
    let token = store::lock_token(tx, key).await?.ok_or_else(|| queue::not_found(key))?;
    let room = expect_room(tx, key.room).await?;
    Ok(Place { room, token, now_ms })
}

/// Ends a live token whose time is over.
async fn lapse(tx: &mut Tx<'_>, place: Place) -> Result<Place, db::Error> {
    let over = if place.is_unclaimed() {
        let came = store::turn_time(tx, place.room.id, place.token.sequence).await?;
        came.is_none_or(|came| came + place.room.settings.claim_ttl_ms <= place.now_ms)
    } else {
        place.state() != place.token.state
    };
    if over { end(tx, place, TokenState::Expired, None).await } else { Ok(place) }
}

async fn end(tx: &mut Tx<'_>, mut place: Place, state: TokenState, reason: Option<&str>) -> Result<Place, db::Error> {
    store::end_token(tx, &place.token, (state, reason)).await?;
    place.token.state = state;
    events::tokens_ended(tx, &[place.token], None).await?;
    Ok(place)
}
