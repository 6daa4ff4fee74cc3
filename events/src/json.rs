//! Structured mode: the whole event as one JSON object, of the media type [`MEDIA_TYPE`]. Data that are JSON stand in
//! `data`, all others in `data_base64`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value};

use crate::cloud_event::{CloudEvent, Malformed};

/// The media type of an event as JSON.
pub const MEDIA_TYPE: &str = "application/cloudevents+json";
/// What data are when nothing is said about them.
const JSON: &str = "application/json";

/// Writes the event.
pub fn encode(event: &CloudEvent) -> Vec<u8> {
    let attributes = event.attributes().into_iter().map(|(name, value)| (name.to_owned(), Value::String(value)));
    let mut object: Map<String, Value> = attributes.collect();
    object.insert("datacontenttype".into(), event.content_type.clone().into());
    match is_json(&event.content_type).then(|| serde_json::from_slice(&event.data)) {
        Some(Ok(data)) => object.insert("data".into(), data),
        Some(Err(_)) | None => object.insert("data_base64".into(), BASE64_STANDARD.encode(&event.data).into()),
    };
    Value::Object(object).to_string().into_bytes()
}

/// Reads an event.
///
/// # Errors
/// What is wrong with it.
pub fn decode(text: &[u8]) -> Result<CloudEvent, Malformed> {
    let object: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| Malformed(format!("no JSON object: {error}")))?;
    let attribute = |name: &str| match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let content_type = attribute("datacontenttype").unwrap_or_else(|| JSON.to_owned());
    let data = data(&object, &content_type)?;
    CloudEvent::from_attributes(attribute, (content_type, data))
}

fn data(object: &Map<String, Value>, content_type: &str) -> Result<Bytes, Malformed> {
    match (object.get("data_base64"), object.get("data")) {
        (Some(_), Some(_)) => Err(Malformed("there are both data and data_base64".into())),
        (Some(Value::String(text)), None) => match BASE64_STANDARD.decode(text) {
            Ok(data) => Ok(data.into()),
            Err(error) => Err(Malformed(format!("data_base64: {error}"))),
        },
        (Some(_), None) => Err(Malformed("data_base64 is no string".into())),
        (None, Some(Value::String(text))) if !is_json(content_type) => Ok(text.clone().into_bytes().into()),
        (None, Some(value)) => Ok(value.to_string().into_bytes().into()),
        (None, None) => Ok(Bytes::new()),
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind == JSON || kind.ends_with("+json")
}
