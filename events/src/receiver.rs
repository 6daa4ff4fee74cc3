//! `POST /events`: takes one CloudEvent in structured or binary mode from a webhook and hands it to the handlers of this
//! process. 204 says that it is taken; 503, that nobody can take anything now; 500, that this one failed and is to come
//! again; 400 or 422, that it never will be taken.
//!
//! With a secret, only bodies that are signed with it get in; see `signature.rs`.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;

use crate::binary::Binding;
use crate::cloud_event::{CloudEvent, Malformed};
use crate::handler::{Handler, offer};
use crate::json;
use crate::signature::{self, HEADER};
use crate::sink::Receipt;

/// The path.
pub const PATH: &str = "/events";
/// Largest event. Ours are some hundred bytes; brokers commonly take as much.
const MAX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone)]
struct Receiver {
    handlers: Arc<[Arc<dyn Handler>]>,
    secret: Arc<str>,
}

/// The receiver of these handlers. Without a secret anybody may send.
pub fn routes(handlers: impl IntoIterator<Item = Arc<dyn Handler>>, secret: &str) -> Router {
    let receiver = Receiver { handlers: handlers.into_iter().collect(), secret: secret.into() };
    Router::new().route(PATH, post(receive)).layer(DefaultBodyLimit::max(MAX_BYTES)).with_state(receiver)
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok());
    if !receiver.secret.is_empty() && !signature::fits(&receiver.secret, &body, given.unwrap_or_default()) {
        return (StatusCode::UNAUTHORIZED, format!("{HEADER} is missing or does not fit"));
    }
    let event = match read(&headers, body) {
        Ok(event) => event,
        Err(malformed) => return (StatusCode::BAD_REQUEST, malformed.to_string()),
    };
    match offer(&receiver.handlers, std::slice::from_ref(&event)).await.pop() {
        Some(Receipt::Taken) => (StatusCode::NO_CONTENT, String::new()),
        Some(Receipt::Refused(why)) => (StatusCode::UNPROCESSABLE_ENTITY, why),
        // One event that fails again and again must not look as if nobody were there.
        Some(Receipt::Failed(why)) => (StatusCode::INTERNAL_SERVER_ERROR, why),
        Some(Receipt::Unavailable(why)) => (StatusCode::SERVICE_UNAVAILABLE, why),
        None => (StatusCode::SERVICE_UNAVAILABLE, "nobody says what became of it".into()),
    }
}

fn read(headers: &HeaderMap, body: Bytes) -> Result<CloudEvent, Malformed> {
    let text = |name: &str| Some(headers.get(name)?.to_str().ok()?.to_owned());
    let kind = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(json::MEDIA_TYPE) {
        return json::decode(&body);
    }
    Binding::Http.event(text, body)
}
