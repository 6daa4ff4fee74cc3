//! What the processor tells its merchant by itself: that something has happened to a payment.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde_json::json;
use service_kit::hmac;
use service_kit::http::{Client, Request};

/// The header that shows who has sent a webhook: HMAC-SHA256 of the body, in hex.
pub const SIGNATURE: &str = "processor-signature";

/// Tries of one webhook, and the time between two of them.
const TRIES: u32 = 5;
const GAP: Duration = Duration::from_millis(200);
/// A merchant answers at once.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Where webhooks go to.
#[derive(Debug, Clone)]
pub(super) struct Webhooks {
    client: Client,
    secret: String,
}

impl Webhooks {
    pub(super) fn to(url: &str, secret: &str) -> anyhow::Result<Self> {
        let client = Client::new(url).map_err(anyhow::Error::msg)?;
        Ok(Self { client, secret: secret.to_owned() })
    }

    /// Tells of a payment, after a while.
    pub(super) async fn send(&self, payment: String, event: &'static str, delay: Duration) {
        tokio::time::sleep(delay).await;
        let mut request = Request::post_json("", &json!({ "payment": payment, "event": event }));
        let signature = hmac::signature(self.secret.as_bytes(), &request.body);
        if let Ok(signature) = HeaderValue::from_str(&signature) {
            request.headers.push((HeaderName::from_static(SIGNATURE), signature));
        }
        for _ in 0..TRIES {
            match self.client.send(request.clone(), TIMEOUT).await {
                Ok(reply) if reply.status.is_success() => return,
                Ok(reply) => tracing::info!(status = %reply.status, payment, "the merchant did not take a webhook"),
                Err(error) => tracing::info!(%error, payment, "a webhook did not arrive"),
            }
            tokio::time::sleep(GAP).await;
        }
    }
}
