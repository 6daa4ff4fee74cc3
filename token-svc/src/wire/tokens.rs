//! Tokens on the wire and within, and the passes that go with them.

use proto::token::v1 as pb;
use proto::token::v1::queue_token::State;
use service_kit::barrier::Operation;
use service_kit::idempotency::Call;
use service_kit::ids;
use service_kit::pass::{Claims, Rejected, SigningKey};
use service_kit::refusal::{Fault, Refusal};
use service_kit::wire::{duration, timestamp};
use tonic::{Code, Request};
use uuid::Uuid;

use super::{key, request_id, room_id, time};
use crate::config::Config;
use crate::line::Asked;
use crate::queue::{Key, Place, Stay, Token, TokenState};
use crate::room;

/// The part of the estimated wait after which to ask again: so the head cannot pass unseen even if it goes a few times
/// faster than estimated.
const POLLS_PER_WAIT: i64 = 10;

/// A place that is asked for.
pub(crate) fn issue(request: &pb::IssueQueueTokenRequest, new_id: Uuid) -> Result<Asked, Fault> {
    let call = Call::new("IssueQueueToken", request_id(&request.request_id)?, request);
    let key = Key { room: room_id("parent", &request.parent)?, token: new_id };
    Ok(Asked { call, key, customer: ids::name("customer", &request.customer, "customers")? })
}

/// The token to extend, and until when.
pub(crate) fn extend(request: &pb::ExtendQueueTokenRequest) -> Result<(Key, i64), Fault> {
    Ok((key("name", &request.name)?, time("min_expire_time", request.min_expire_time)?))
}

/// The token to revoke, and why.
pub(crate) fn revoke(request: pb::RevokeQueueTokenRequest) -> Result<(Key, String), Fault> {
    let key = key("name", &request.name)?;
    if request.reason.is_empty() {
        return Err(Fault::field("reason", "is required: why the token is taken away"));
    }
    super::optional_reason(&request.reason)?;
    Ok((key, request.reason))
}

/// The token to complete, for which step of which saga, and whose it must be.
pub(crate) fn complete(request: &Request<pb::CompleteQueueTokenRequest>) -> Result<(Operation, Key, Uuid), Fault> {
    let order = request.get_ref();
    let key = key("name", &order.name)?;
    let saga = ids::name("saga", &order.saga, "sagas")?;
    let customer = ids::name("customer", &order.customer, "customers")?;
    ids::uuid("request_id", &order.request_id)?;
    Ok((Operation::of(request, saga, key.room)?, key, customer))
}

/// The answer to a saga whose token, if there is one, is ended.
pub(crate) fn completed(saga: Uuid, found: Option<&Token>) -> pb::CompleteQueueTokenResponse {
    pb::CompleteQueueTokenResponse {
        saga: format!("sagas/{saga}"),
        amount: 0,
        queue_token: found.map(|found| token(found, found.state)),
    }
}

/// The token that a saga has been told is ended; none when there was none.
pub(crate) fn ended(key: Key, customer: Uuid, completed: &pb::CompleteQueueTokenResponse) -> Vec<Token> {
    let ended = |token: &pb::QueueToken| Token {
        key,
        customer,
        sequence: token.sequence.unwrap_or_default(),
        state: TokenState::Completed,
        create_time: 0,
        stay: None,
    };
    completed.queue_token.iter().map(ended).collect()
}

/// The pass to check.
pub(crate) fn pass(request: &pb::ValidateAdmissionPassRequest) -> Result<&str, Fault> {
    match request.admission_pass.as_str() {
        "" => Err(Fault::field("admission_pass", "is required")),
        pass => Ok(pass),
    }
}

/// The answer to a pass that does not count.
pub(crate) fn rejected(rejected: Rejected) -> Refusal {
    let reason = match rejected {
        Rejected::Expired => "ADMISSION_PASS_EXPIRED",
        Rejected::Malformed | Rejected::NoKeys | Rejected::UnknownKey | Rejected::BadSignature => {
            "ADMISSION_PASS_INVALID"
        }
    };
    Refusal::new(Code::Unauthenticated, reason, rejected.to_string())
}

/// The answer to a pass that counts; not if its token has ended before it.
pub(crate) fn validated(claims: Claims, place: &Place) -> Result<pb::ValidateAdmissionPassResponse, Refusal> {
    let state = place.state();
    if state != TokenState::Active {
        let message = format!("{} is {}, not ACTIVE", claims.queue_token, state.name());
        let refusal = Refusal::new(Code::Unauthenticated, "ADMISSION_PASS_INVALID", message);
        return Err(refusal.with("waiting_room", claims.room).with("state", state.name()));
    }
    Ok(pb::ValidateAdmissionPassResponse {
        queue_token: claims.queue_token,
        customer: claims.customer,
        expire_time: Some(timestamp(claims.expire_time_s.saturating_mul(1_000))),
    })
}

/// Shows tokens as their customers see them.
#[derive(Debug, Clone)]
pub(crate) struct View {
    signing: SigningKey,
    nearest_poll_ms: i64,
    farthest_poll_ms: i64,
}

impl View {
    /// A view with passes signed by that key.
    pub(crate) fn new(signing: SigningKey, config: &Config) -> Self {
        let Config { nearest_poll_ms, farthest_poll_ms, .. } = *config;
        Self { signing, nearest_poll_ms, farthest_poll_ms }
    }

    /// A token with what its state calls for: where it stands while it waits, its pass while it is ACTIVE.
    pub(crate) fn place(&self, place: &Place) -> pb::QueueToken {
        let state = place.state();
        let shown = token(&place.token, state);
        match (state, place.token.stay) {
            (TokenState::Waiting, _) => self.in_line(shown, place),
            (TokenState::Active, Some(stay)) => {
                pb::QueueToken { admission_pass: self.sign(&place.token, stay), ..shown }
            }
            _ => shown,
        }
    }

    /// When its customer is told to ask again.
    pub(crate) fn poll_ms(&self, place: &Place) -> i64 {
        match place.state() == TokenState::Waiting {
            true if place.room.sold_out_time.is_some() => self.farthest_poll_ms,
            true => (wait_ms(place) / POLLS_PER_WAIT).clamp(self.nearest_poll_ms, self.farthest_poll_ms),
            false => self.nearest_poll_ms,
        }
    }

    fn in_line(&self, shown: pb::QueueToken, place: &Place) -> pb::QueueToken {
        let behind = |_| place.room.issued_count - place.token.sequence;
        pb::QueueToken {
            ahead_count: place.position().map_or(0, |position| (position - 1).max(0)),
            behind_count: place.position().map_or(0, behind),
            estimated_wait: Some(duration(wait_ms(place))),
            poll_interval: Some(duration(self.poll_ms(place))),
            sold_out: place.room.sold_out_time.is_some(),
            ..shown
        }
    }

    fn sign(&self, token: &Token, stay: Stay) -> String {
        self.signing.sign(&Claims {
            room: room::name(token.key.room),
            customer: format!("customers/{}", token.customer),
            queue_token: token.key.name(),
            // Rounded down: no pass outlives its token.
            expire_time_s: stay.expire_time.div_euclid(1_000),
        })
    }
}

/// How long it takes until its turn comes; of a place that is not drawn yet, as for one in the middle.
fn wait_ms(place: &Place) -> i64 {
    let position = place.position().unwrap_or(place.room.issued_count / 2);
    place.room.wait_ms(position.max(0), place.now_ms)
}

fn token(token: &Token, state: TokenState) -> pb::QueueToken {
    pb::QueueToken {
        name: token.key.name(),
        customer: format!("customers/{}", token.customer),
        state: wire_state(state).into(),
        sequence: Some(token.sequence).filter(|sequence| *sequence > 0),
        create_time: Some(timestamp(token.create_time)),
        activate_time: token.stay.map(|stay| timestamp(stay.activate_time)),
        expire_time: token.stay.map(|stay| timestamp(stay.expire_time)),
        ..pb::QueueToken::default()
    }
}

fn wire_state(state: TokenState) -> State {
    match state {
        TokenState::Waiting => State::Waiting,
        TokenState::Active => State::Active,
        TokenState::Completed => State::Completed,
        TokenState::Expired => State::Expired,
        TokenState::Left => State::Left,
        TokenState::Revoked => State::Revoked,
    }
}
