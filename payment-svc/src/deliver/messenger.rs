//! The provider of messages to phones. It takes a message under our id and refuses that id ever after, which is how one
//! that may have been taken already is sent again without arriving twice; whether it arrived is asked for later.

use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use serde::{Deserialize, Serialize};
use service_kit::http::{Client, Reply, Request};
use service_kit::peer;
use tonic::Code;
use uuid::Uuid;

use super::delivery::{Channel, Delivery, Outcome, Problem};
use super::notice::Notice;

/// What is sent.
#[derive(Serialize)]
struct Message<'a> {
    message_id: &'a str,
    channel: &'static str,
    phone_number: &'a str,
    expire_time_ms: i64,
    #[serde(flatten)]
    notice: &'a Notice,
}

/// What comes back, of either question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    status: String,
    code: String,
}

/// The provider, and whoever knows the phone numbers.
#[derive(Debug, Clone)]
pub(crate) struct Messenger {
    pub(crate) provider: Client,
    pub(crate) timeout: Duration,
    pub(crate) customers: CustomerServiceClient<peer::Client>,
    pub(crate) customer_timeout: Duration,
}

impl Messenger {
    /// One attempt: sends the message, or asks what became of it.
    pub(crate) async fn deliver(&self, delivery: &Delivery, now_ms: i64) -> Outcome {
        let Some(message_id) = delivery.draft.message_id() else {
            return Outcome::Skipped("it is no message");
        };
        match delivery.accept_time {
            Some(_) => self.ask(&message_id).await,
            None if delivery.is_late(now_ms) => Outcome::Late,
            None => self.send(delivery, &message_id).await,
        }
    }

    async fn send(&self, delivery: &Delivery, message_id: &str) -> Outcome {
        let Ok(notice) = serde_json::from_slice::<Notice>(&delivery.draft.payload) else {
            return Outcome::Skipped("what is to be sent cannot be read");
        };
        let phone_number = match self.phone_number(delivery.draft.customer).await {
            Ok(number) => number,
            Err(outcome) => return outcome,
        };
        let message = Message {
            message_id,
            channel: if delivery.draft.channel == Channel::Sms { "SMS" } else { "ALIMTALK" },
            phone_number: &phone_number,
            expire_time_ms: delivery.draft.expire_time,
            notice: &notice,
        };
        match self.provider.send(Request::post_json("/v1/messages", &message), self.timeout).await {
            Ok(reply) => taken(&reply),
            Err(error) => Outcome::Unsent(outage(error.to_string())),
        }
    }

    async fn ask(&self, message_id: &str) -> Outcome {
        let asked = Request::get(format!("/v1/messages/{message_id}"));
        let reply = match self.provider.send(asked, self.timeout).await {
            Ok(reply) => reply,
            Err(error) => return Outcome::Unasked(outage(error.to_string())),
        };
        let answer = read(&reply);
        match (reply.status, answer.status.as_str()) {
            (StatusCode::OK, "DELIVERED") => Outcome::Delivered,
            (StatusCode::OK, "FAILED") => Outcome::Failed(answer.code),
            (StatusCode::NOT_FOUND, _) if answer.code == "UNKNOWN_MESSAGE_ID" => Outcome::Lost,
            (StatusCode::OK, _) => Outcome::Waiting,
            (status, _) => Outcome::Unasked(outage(format!("the messenger answers {status} {}", answer.code))),
        }
    }

    /// Where a notice to a customer goes, as of now.
    async fn phone_number(&self, customer: Option<Uuid>) -> Result<String, Outcome> {
        let Some(customer) = customer else {
            return Err(Outcome::Skipped("it is nobody's"));
        };
        let request = customer::GetCustomerRequest { name: format!("customers/{customer}") };
        let mut customers = self.customers.clone();
        let found = match tokio::time::timeout(self.customer_timeout, customers.get_customer(request)).await {
            Ok(Ok(found)) => found.into_inner(),
            Ok(Err(status)) if status.code() == Code::NotFound => {
                return Err(Outcome::Skipped("the customer does not exist"));
            }
            Ok(Err(status)) => return Err(unknown(status.code())),
            Err(_) => return Err(unknown(Code::DeadlineExceeded)),
        };
        match &found {
            _ if found.state() == customer::customer::State::Withdrawn => {
                Err(Outcome::Skipped("the customer has withdrawn"))
            }
            _ if !found.notification_consent => Err(Outcome::Skipped("the customer has not consented")),
            _ if found.phone_number.is_empty() => Err(Outcome::Skipped("the customer has no phone number")),
            _ => Ok(found.phone_number),
        }
    }
}

/// What the provider's answer to a message means. Only what it says about the message itself is for good.
fn taken(reply: &Reply) -> Outcome {
    let Answer { code, .. } = read(reply);
    let status = reply.status;
    let problem = format!("the messenger answers {status} {code}");
    match status {
        _ if status.is_success() => Outcome::Accepted,
        StatusCode::CONFLICT if code == "DUPLICATE_MESSAGE_ID" => Outcome::Accepted,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Outcome::Failed(code),
        StatusCode::TOO_MANY_REQUESTS => {
            let seconds = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
            let after_ms = seconds.map(|seconds| seconds.saturating_mul(1_000));
            Outcome::Unsent(Problem { after_ms, ..outage(problem) })
        }
        _ => Outcome::Unsent(outage(problem)),
    }
}

fn read(reply: &Reply) -> Answer {
    serde_json::from_slice(&reply.body).unwrap_or_default()
}

fn unknown(code: Code) -> Outcome {
    Outcome::Unsent(outage(format!("the customer service does not tell the phone number: {code:?}")))
}

fn outage(text: String) -> Problem {
    Problem { text, is_outage: true, after_ms: None }
}
