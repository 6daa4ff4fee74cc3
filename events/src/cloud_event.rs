//! One event as it travels: the attributes of CloudEvents 1.0 with typed values, and the data. How it is written down for
//! one transport or another stands in `json.rs` and `binary.rs`.
//!
//! The data are the protobuf bytes that lie in the outbox: what was written in the transaction goes out unchanged, a field
//! that a relay does not know yet passes through it, and there is one codec to keep right.

use bytes::Bytes;
use prost::Message;
use prost_types::Timestamp;
use service_kit::outbox::Event;
use uuid::Uuid;

use crate::kinds;

/// The media type of our data.
pub const PROTOBUF: &str = "application/protobuf";
/// The version of CloudEvents.
const SPEC_VERSION: &str = "1.0";

/// An event that is none, or not one of ours: it will not get better.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed event: {0}")]
pub struct Malformed(pub String);

/// An event. Whoever gets it may get it again: `source` and `id` together tell repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent {
    /// Its id for ever.
    pub id: Uuid,
    /// `/ticketing/{service}`.
    pub source: String,
    /// The attribute `type`: `ticketing.<noun>.<past>.v1`.
    pub kind: String,
    /// The resource that it tells of: the unit of order.
    pub subject: String,
    /// When it happened.
    pub time_ms: i64,
    /// The attribute `partitionkey`: a reservation or a customer, whose events stay together.
    pub partition: String,
    /// The attribute `sequence`: the version of the subject that it tells of, zero-padded to 19 digits, so that the order
    /// of texts is the order of numbers. It orders the events of one subject of one source and grows with each; it is not
    /// without gaps.
    pub version: i64,
    /// The attribute `correlationid`: the saga that it belongs to.
    pub correlation: Option<Uuid>,
    /// The attribute `causationid`: the event or command that it follows from, where known.
    pub causation: Option<String>,
    /// The attribute `traceparent`, as in W3C Trace Context.
    pub trace_parent: Option<String>,
    /// The attribute `expirytime`: when a notice of it is of no use to anybody any more.
    pub expiry_time_ms: Option<i64>,
    /// The attribute `dataschema`: which message the data are.
    pub schema: Option<String>,
    /// The attribute `datacontenttype`.
    pub content_type: String,
    /// The data.
    pub data: Bytes,
}

impl CloudEvent {
    /// An event of an outbox.
    pub fn of(source: &str, event: &Event) -> Self {
        let kind = kinds::find(&event.kind);
        let expiry = kind.and_then(|kind| kind.expires_after_ms);
        Self {
            id: event.id,
            source: source.to_owned(),
            kind: event.kind.clone(),
            subject: event.aggregate.clone(),
            time_ms: event.create_time,
            partition: event.partition.clone(),
            version: event.version,
            correlation: event.saga,
            causation: None,
            trace_parent: None,
            expiry_time_ms: expiry.map(|after_ms| event.create_time.saturating_add(after_ms)),
            schema: kind.map(kinds::Kind::schema),
            content_type: PROTOBUF.to_owned(),
            data: event.data.clone().into(),
        }
    }

    /// What consumers tell repeats by, as one text without spaces.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }

    /// The data as a message.
    ///
    /// # Errors
    /// When they are none of that kind.
    pub fn decode<M: Message + Default>(&self) -> Result<M, Malformed> {
        if self.content_type != PROTOBUF {
            return Err(Malformed(format!("the data are {:?}, not {PROTOBUF:?}", self.content_type)));
        }
        M::decode(self.data.clone()).map_err(|error| Malformed(format!("the data of {}: {error}", self.kind)))
    }

    /// Its attributes as texts, `datacontenttype` left out: transports have a place of their own for that.
    pub(crate) fn attributes(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("specversion", SPEC_VERSION.to_owned()),
            ("id", self.id.to_string()),
            ("source", self.source.clone()),
            ("type", self.kind.clone()),
            ("time", time(self.time_ms)),
            ("sequence", format!("{:019}", self.version)),
        ];
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        let optional = [
            ("subject", some(&self.subject)),
            ("partitionkey", some(&self.partition)),
            ("dataschema", self.schema.clone()),
            ("correlationid", self.correlation.map(|saga| saga.to_string())),
            ("causationid", self.causation.clone()),
            ("traceparent", self.trace_parent.clone()),
            ("expirytime", self.expiry_time_ms.map(time)),
        ];
        all.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        all
    }

    /// The event of these attributes; those that are not ours are passed over.
    pub(crate) fn from_attributes(
        attribute: impl Fn(&str) -> Option<String>,
        (content_type, data): (String, Bytes),
    ) -> Result<Self, Malformed> {
        let required = |name: &str| {
            let value = attribute(name).filter(|value| !value.is_empty());
            value.ok_or_else(|| Malformed(format!("{name} is missing")))
        };
        let version = required("specversion")?;
        if version != SPEC_VERSION {
            return Err(Malformed(format!("specversion is {version:?}, not {SPEC_VERSION:?}")));
        }
        let uuid = |name: &str, text: &str| {
            Uuid::try_parse(text).map_err(|_| Malformed(format!("{name} is {text:?}, which is no UUID")))
        };
        let sequence = attribute("sequence").unwrap_or_else(|| "0".into());
        let sequence = sequence.parse().map_err(|_| Malformed(format!("sequence is {sequence:?}, which is no number")));
        Ok(Self {
            id: uuid("id", &required("id")?)?,
            source: required("source")?,
            kind: required("type")?,
            subject: attribute("subject").unwrap_or_default(),
            time_ms: time_ms("time", &required("time")?)?,
            partition: attribute("partitionkey").unwrap_or_default(),
            version: sequence?,
            correlation: attribute("correlationid").map(|text| uuid("correlationid", &text)).transpose()?,
            causation: attribute("causationid"),
            trace_parent: attribute("traceparent"),
            expiry_time_ms: attribute("expirytime").map(|text| time_ms("expirytime", &text)).transpose()?,
            schema: attribute("dataschema"),
            content_type,
            data,
        })
    }
}

/// As RFC 3339 writes it.
fn time(ms: i64) -> String {
    let nanos = i32::try_from(ms.rem_euclid(1_000) * 1_000_000).unwrap_or_default();
    Timestamp { seconds: ms.div_euclid(1_000), nanos }.to_string()
}

fn time_ms(name: &str, text: &str) -> Result<i64, Malformed> {
    let parsed: Result<Timestamp, _> = text.parse();
    let parsed = parsed.map_err(|_| Malformed(format!("{name} is {text:?}, which is no time as of RFC 3339")))?;
    Ok(parsed.seconds.saturating_mul(1_000).saturating_add(i64::from(parsed.nanos) / 1_000_000))
}
