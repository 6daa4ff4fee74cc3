//! The sink of a webhook: each event is a POST in structured mode. 2xx says that it is taken; 4xx, that the event is at
//! fault, but for 401, 403, 404, 405, 408 and 429, which say nothing about the event; everything else, that it may come again.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use service_kit::http::{Client, Error, Request};

use crate::cloud_event::CloudEvent;
use crate::json;
use crate::signature::{self, HEADER};
use crate::sink::{Receipt, Sink};

/// Requests under way at a time: enough to hide the way there and back, few enough for a small receiver.
const CONCURRENT: usize = 16;
/// How much of what the other side says goes into the log and the tables.
const SHOWN: usize = 200;

/// Posts events to an address.
#[derive(Debug, Clone)]
pub struct Webhook {
    client: Client,
    secret: String,
    timeout: Duration,
}

impl Webhook {
    /// A sink of `http://host:port/path`; with a secret, it signs what it sends.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(url: &str, secret: &str, timeout: Duration) -> Result<Self, String> {
        Ok(Self { client: Client::new(url)?, secret: secret.to_owned(), timeout })
    }

    async fn post(&self, event: &CloudEvent) -> Receipt {
        let body = json::encode(event);
        let mut headers = vec![(CONTENT_TYPE, HeaderValue::from_static(json::MEDIA_TYPE))];
        let signed = (!self.secret.is_empty()).then(|| HeaderValue::try_from(signature::sign(&self.secret, &body)));
        if let Some(Ok(signature)) = signed {
            headers.push((HeaderName::from_static(HEADER), signature));
        }
        let request = Request { method: Method::POST, path: String::new(), headers, body: body.into() };
        match self.client.send(request, self.timeout).await {
            Ok(reply) if reply.status.is_success() => Receipt::Taken,
            Ok(reply) => {
                let said: String = String::from_utf8_lossy(&reply.body).chars().take(SHOWN).collect();
                let said = if said.is_empty() { said } else { format!(": {}", said.trim()) };
                not_taken(reply.status, format!("{}{said}", reply.status))
            }
            Err(error @ (Error::Unreachable(..) | Error::InDoubt(..))) => Receipt::Unavailable(error.to_string()),
        }
    }
}

fn not_taken(status: StatusCode, said: String) -> Receipt {
    match status {
        // A wrong address or secret is no fault of the event.
        StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::NOT_FOUND
        | StatusCode::METHOD_NOT_ALLOWED
        | StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Receipt::Unavailable(said),
        status if status.is_client_error() => Receipt::Refused(said),
        _ => Receipt::Failed(said),
    }
}

#[async_trait]
impl Sink for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    async fn publish(&self, events: &[CloudEvent]) -> Vec<Receipt> {
        let posts: Vec<_> = events.iter().map(|event| self.post(event)).collect();
        stream::iter(posts).buffered(CONCURRENT).collect().await
    }
}
