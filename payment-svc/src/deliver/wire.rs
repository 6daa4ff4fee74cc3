//! Deliveries on the wire and within.

use proto::payment::v1 as pb;
use proto::payment::v1::delivery::{Channel as WireChannel, State as WireState};
use service_kit::refusal::Fault;
use service_kit::wire::timestamp;
use service_kit::{filter, ids, page};
use uuid::{Builder, Uuid};

use super::delivery::{self, Channel, Delivery, State};
use super::store::Wanted;

/// The id in a delivery's name.
pub(crate) fn name(name: &str) -> Result<Uuid, Fault> {
    ids::name("name", name, "deliveries")
}

/// The delivery that is to be tried again, and why.
pub(crate) fn retry(request: &pb::RetryDeliveryRequest, limit: usize) -> Result<(Uuid, String), Fault> {
    let id = name(&request.name)?;
    let wrong = |problem: String| Err(Fault::field("reason", problem));
    match request.reason.as_str() {
        reason if reason.trim().is_empty() => wrong("is required: why it is tried again".into()),
        reason if reason.contains('\0') => wrong("must not contain the character NUL".into()),
        reason if reason.chars().count() > limit => wrong(format!("must have at most {limit} characters")),
        reason => Ok((id, reason.to_owned())),
    }
}

/// The deliveries that are asked for, one more than fill the page. Those of one event lie at its time, so no other is read
/// for them.
pub(crate) fn wanted(request: &pb::ListDeliveriesRequest) -> Result<Wanted, Fault> {
    let [event, channel, state] = filter::values(&request.filter, ["event_id", "channel", "state"])?;
    let newest = match request.page_token.as_str() {
        "" => Uuid::max(),
        token => Uuid::try_parse(token).map_err(|_| page::foreign_token())?,
    };
    let event = event.map(|text| ids::uuid("filter", text)).transpose()?;
    let (first, last) = event.map_or((Uuid::nil(), Uuid::max()), of_its_time);
    Ok(Wanted {
        ids: (first, last.min(newest)),
        event,
        channel: channel.map(|name| number(WireChannel::from_str_name(name).map(Into::into))).transpose()?,
        state: state.map(|name| number(WireState::from_str_name(name).map(Into::into))).transpose()?,
        limit: page::limit(page::size(request.page_size)?),
    })
}

/// The first and the last id that a delivery of an event can have.
fn of_its_time(event: Uuid) -> (Uuid, Uuid) {
    let with = |rest: u8| {
        let mut bytes = [rest; 16];
        bytes[..6].copy_from_slice(&event.as_bytes()[..6]);
        Builder::from_bytes(bytes).into_uuid()
    };
    (with(u8::MIN), with(u8::MAX))
}

pub(crate) fn page(rows: &[Delivery], limit: i64) -> pb::ListDeliveriesResponse {
    let token = |delivery: &Delivery| delivery.id.to_string();
    let (deliveries, next_page_token) = page::split(rows, limit, token, encode);
    pb::ListDeliveriesResponse { deliveries, next_page_token }
}

pub(crate) fn encode(delivery: &Delivery) -> pb::Delivery {
    let channel = match delivery.draft.channel {
        Channel::Alimtalk => WireChannel::KakaoAlimtalk,
        Channel::Sms => WireChannel::Sms,
        Channel::Platform => WireChannel::DataPlatform,
    };
    let state = match delivery.state {
        State::Pending => WireState::Pending,
        State::Succeeded => WireState::Succeeded,
        State::Retrying => WireState::Retrying,
        State::Dead => WireState::Dead,
        State::Skipped => WireState::Skipped,
    };
    pb::Delivery {
        name: delivery::name(delivery.id),
        event_id: delivery.draft.event_id.to_string(),
        channel: channel.into(),
        state: state.into(),
        attempt_count: i32::try_from(delivery.attempt_count).unwrap_or(i32::MAX),
        last_error: delivery.last_error.clone(),
        provider_message_id: delivery.draft.message_id().unwrap_or_default(),
        next_attempt_time: delivery.next_attempt_time.map(timestamp),
        create_time: Some(timestamp(delivery.create_time)),
        event_source: delivery.draft.event_source.clone(),
        event_type: delivery.draft.event_type.clone(),
        saga: delivery.draft.saga.map(|saga| format!("sagas/{saga}")).unwrap_or_default(),
        accept_time: delivery.accept_time.map(timestamp),
        expire_time: Some(timestamp(delivery.draft.expire_time)),
        end_time: delivery.end_time.map(timestamp),
    }
}

/// The number under which a filter's value is stored.
fn number(value: Option<i32>) -> Result<i64, Fault> {
    match value.unwrap_or_default() {
        0 => Err(Fault::field("filter", "names a value that its field does not have")),
        number => Ok(i64::from(number)),
    }
}
