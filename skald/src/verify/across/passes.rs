//! Who came to his seats through the waiting room. Reservations are read before the tokens, so none is held from a token that
//! is not there yet.

use concert_svc::verify::ReservationFact;
use uuid::Uuid;

use crate::verify::facts::Facts;

/// The clocks of two services differ by less.
const CLOCKS_MS: i64 = 5_000;

pub(super) fn opened_the_sale(facts: &Facts) -> Vec<String> {
    let broken = facts.reservations.values().filter_map(|reservation| {
        let token = reservation.queue_token.as_deref()?;
        Some(format!("reservations/{} {}", reservation.id, came_round(facts, reservation, token)?))
    });
    broken.collect()
}

/// What is wrong with the place in the waiting room that it was held from.
fn came_round(facts: &Facts, reservation: &ReservationFact, name: &str) -> Option<String> {
    if name.is_empty() {
        return reservation.waiting_room.map(|room| format!("came round waitingRooms/{room}"));
    }
    let Some((room, token)) = ids(name) else {
        return Some(format!("is held from {name:?}, which is no place"));
    };
    if let Some(other) = reservation.waiting_room.filter(|other| *other != room) {
        return Some(format!("is held from {name}, and its concert is behind waitingRooms/{other}"));
    }
    let Some(admitted) = facts.admitted.get(&(room, token)) else {
        let is_forgotten = facts.rooms.get(&room).is_some_and(|room| !room.is_whole);
        return (!is_forgotten).then(|| format!("is held from {name}, which was never ACTIVE"));
    };
    if admitted.customer != reservation.customer {
        return Some(format!("is held from {name}, a place of customers/{}", admitted.customer));
    }
    let is_late = admitted.activate_time > reservation.create_time.saturating_add(CLOCKS_MS);
    is_late.then(|| format!("is held from {name}, which was ACTIVE only from {} on", admitted.activate_time))
}

/// The ids in "waitingRooms/{uuid}/queueTokens/{uuid}".
pub(super) fn ids(name: &str) -> Option<(Uuid, Uuid)> {
    let (room, token) = name.strip_prefix("waitingRooms/")?.split_once("/queueTokens/")?;
    Some((Uuid::try_parse(room).ok()?, Uuid::try_parse(token).ok()?))
}
