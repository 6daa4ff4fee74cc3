//! What the processor says by itself. It is only a hint to ask: what it says is never taken for true, so it does no harm
//! late, twice, out of order, or not at all. A signature keeps others from making us ask.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde::Deserialize;
use service_kit::hmac;
use uuid::Uuid;

use crate::desk::Desk;

/// HMAC-SHA256 of the body by the shared secret, in hex.
const SIGNATURE: &str = "processor-signature";
/// A hint names a payment and little else.
const MAX_BYTES: usize = 4 * 1024;

#[derive(Debug, Deserialize)]
struct Hint {
    payment: Uuid,
}

/// `POST /processor/webhooks`.
pub(crate) fn routes(desk: Desk, secret: String) -> Router {
    Router::new()
        .route("/processor/webhooks", post(receive))
        .layer(DefaultBodyLimit::max(MAX_BYTES))
        .with_state((desk, secret))
}

async fn receive(State((desk, secret)): State<(Desk, String)>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !hmac::is_signature(signature, secret.as_bytes(), &body) {
        return StatusCode::UNAUTHORIZED;
    }
    // Whoever has signed it may mean something that is not known here: it is no use to send it again.
    let Ok(hint) = serde_json::from_slice::<Hint>(&body) else { return StatusCode::NO_CONTENT };
    match desk.wake(hint.payment).await {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
