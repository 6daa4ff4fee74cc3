//! The data platform. It takes batches of events and keeps each by its source and id, so what may have been taken already
//! is sent again without harm. One event that it refuses does not hold up the others of its batch.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use service_kit::clock::Stopwatch;
use service_kit::http::{Client, Request};

use super::delivery::{Delivery, Outcome, Problem};

/// An attempt takes no longer than so many calls one after the other.
pub(crate) const CALLS: u64 = 2;

/// Several CloudEvents as one JSON array.
const BATCH: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json");

/// The platform.
#[derive(Debug, Clone)]
pub(crate) struct Platform {
    pub(crate) client: Client,
    pub(crate) timeout: Duration,
}

impl Platform {
    /// One attempt at all of them, in no more than twice the time of one call; tells what became of each, in their order.
    pub(crate) async fn deliver(&self, deliveries: &[Delivery], now_ms: i64) -> Vec<Outcome> {
        let started = Stopwatch::start();
        let mut outcomes = vec![Outcome::Late; deliveries.len()];
        let in_time = |place: &usize| !deliveries[*place].is_late(now_ms);
        let mut parts: Vec<Vec<usize>> = vec![(0..deliveries.len()).filter(in_time).collect()];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let outcome = self.send(deliveries, &part).await;
            let is_early =
                started.elapsed_ms().unsigned_abs() < self.timeout.as_millis().try_into().unwrap_or(u64::MAX);
            if part.len() > 1 && is_early && is_about_content(&outcome) {
                // Somewhere in it is what is refused.
                parts.push(part.split_off(part.len() / 2));
                parts.push(part);
                continue;
            }
            // Whoever is down for one part is down for the others, too.
            let is_over = outcome.outage().is_some() || !is_early;
            let rest = if is_over { std::mem::take(&mut parts).concat() } else { Vec::new() };
            for place in part.into_iter().chain(rest) {
                outcomes[place] = outcome.clone();
            }
        }
        outcomes
    }

    async fn send(&self, deliveries: &[Delivery], part: &[usize]) -> Outcome {
        let body = array(part.iter().map(|place| deliveries[*place].draft.payload.as_slice()));
        let headers = vec![(CONTENT_TYPE, BATCH)];
        let request = Request { method: Method::POST, path: "/v1/events".into(), headers, body };
        let (text, is_outage) = match self.client.send(request, self.timeout).await {
            Ok(reply) if reply.status.is_success() => return Outcome::Delivered,
            Ok(reply) => (format!("the data platform answers {}", reply.status), !is_refusal(reply.status)),
            Err(error) => (error.to_string(), true),
        };
        Outcome::Unsent(Problem { text, is_outage, after_ms: None })
    }
}

/// Whether it says something about what was sent, and nothing about the platform.
fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::PAYLOAD_TOO_LARGE)
}

fn is_about_content(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Unsent(problem) if !problem.is_outage)
}

/// Events in JSON as one array.
fn array<'a>(events: impl Iterator<Item = &'a [u8]>) -> Bytes {
    let mut body = BytesMut::new();
    let mut before = b'[';
    for event in events {
        body.put_u8(before);
        body.put_slice(event);
        before = b',';
    }
    if body.is_empty() {
        body.put_u8(b'[');
    }
    body.put_u8(b']');
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::array;

    #[test]
    fn a_batch_is_an_array_of_what_was_stored() {
        let events = |texts: &'static [&'static str]| array(texts.iter().map(|text| text.as_bytes()));
        assert_eq!(events(&[]), "[]");
        assert_eq!(events(&["{}"]), "[{}]");
        assert_eq!(events(&["{\"id\":1}", "{}"]), "[{\"id\":1},{}]");
    }
}
