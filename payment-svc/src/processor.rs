//! The outside processor of card payments, over HTTP. It knows each payment by our own id, so that a request may be sent
//! again and what was lost can be asked for. What an answer leads to is not decided here.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use service_kit::http::{Client, Error, Reply, Request};
use uuid::Uuid;

use crate::errand::Kind;

/// What is asked.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) kind: Kind,
    pub(crate) payment: Uuid,
    /// Of the payment, or of the refund.
    pub(crate) amount: i64,
    /// For an authorisation.
    pub(crate) token: String,
    pub(crate) refund: Uuid,
    /// Whether it may have been asked before.
    pub(crate) is_repeat: bool,
}

/// What the processor has done, or will never do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The money is held.
    Held {
        /// The processor's own id.
        reference: String,
    },
    /// It never was held, and never will be.
    Declined {
        /// Why.
        code: String,
    },
    /// It is held and was not taken this time.
    CaptureDeclined {
        /// Why.
        code: String,
    },
    /// It is taken.
    Taken,
    /// It is not held, and never will be.
    Released,
    /// It is given back.
    Given,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Trouble {
    /// The request never left.
    #[error("{0}")]
    Unreachable(String),
    /// Nobody knows what became of the request.
    #[error("{0}")]
    NoAnswer(String),
    /// The answer cannot be.
    #[error("the processor says what cannot be: {0}")]
    Contradiction(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreachable(..) => Self::Unreachable(error.to_string()),
            Error::InDoubt(..) => Self::NoAnswer(error.to_string()),
        }
    }
}

/// A payment as the processor shows it.
#[derive(Debug, Deserialize)]
struct Shown {
    id: String,
    state: Standing,
    amount: i64,
    #[serde(default)]
    reference: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    refunds: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Standing {
    Authorized,
    Declined,
    Captured,
    Voided,
}

#[derive(Debug, Deserialize)]
struct No {
    code: String,
}

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Processor {
    client: Client,
    timeout: Duration,
}

impl Processor {
    /// # Errors
    /// What is wrong with the URL.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, String> {
        Ok(Self { client: Client::new(url)?, timeout })
    }

    /// Asks; what may have been asked before is looked up first, and so is what has lost its answer. It is asked again only
    /// when the processor has not done it, and by the same id.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer, Trouble> {
        if question.is_repeat
            && let Some(answer) = self.look(question).await?
        {
            return Ok(answer);
        }
        match self.act(question).await {
            Err(Trouble::NoAnswer(problem)) => self.look(question).await?.ok_or(Trouble::NoAnswer(problem)),
            known => known,
        }
    }

    /// What has been done already, if it has.
    async fn look(&self, question: &Question) -> Result<Option<Answer>, Trouble> {
        let reply = self.client.send(Request::get(format!("/payments/{}", question.payment)), self.timeout).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => question.read(&shown(&reply)?),
        }
    }

    async fn act(&self, question: &Question) -> Result<Answer, Trouble> {
        let reply = self.client.send(question.request(), self.timeout).await?;
        if reply.status == StatusCode::PAYMENT_REQUIRED && question.kind == Kind::Capture {
            let No { code } = parsed(&reply)?;
            return Ok(Answer::CaptureDeclined { code: plain(&code) });
        }
        let answer = question.read(&shown(&reply)?)?;
        answer.ok_or_else(|| Trouble::Contradiction(format!("{:?} is not done and not refused", question.kind)))
    }
}

impl Question {
    fn request(&self) -> Request {
        let Self { payment, amount, token, refund, .. } = self;
        let of = |what: &str, body: Value| Request::post_json(format!("/payments/{payment}/{what}"), &body);
        match self.kind {
            Kind::Authorize => {
                let body = json!({ "id": payment, "amount": amount, "currency": "KRW", "token": token });
                Request::post_json("/payments", &body)
            }
            Kind::Capture => of("capture", json!({ "amount": amount })),
            Kind::Void => of("void", json!({})),
            Kind::Refund => of("refunds", json!({ "id": refund, "amount": amount })),
        }
    }

    /// What a payment that stands like this means; nothing where it is still to be done.
    fn read(&self, shown: &Shown) -> Result<Option<Answer>, Trouble> {
        let is_ours = shown.id == self.payment.to_string();
        let is_whole = self.kind == Kind::Refund || shown.amount == self.amount || shown.state == Standing::Voided;
        if !is_ours || !is_whole {
            return Err(Trouble::Contradiction(format!("{} over {} KRW", shown.id, shown.amount)));
        }
        if self.kind == Kind::Refund {
            let given = shown.refunds.get(&self.refund.to_string());
            return match given {
                Some(amount) if *amount == self.amount => Ok(Some(Answer::Given)),
                Some(amount) => Err(Trouble::Contradiction(format!("it has given back {amount} KRW"))),
                None => Ok(None),
            };
        }
        Ok(match shown.state {
            Standing::Authorized if self.kind == Kind::Authorize => {
                Some(Answer::Held { reference: plain(&shown.reference) })
            }
            Standing::Authorized => None,
            Standing::Declined => Some(Answer::Declined { code: plain(&shown.code) }),
            Standing::Captured => Some(Answer::Taken),
            Standing::Voided => Some(Answer::Released),
        })
    }
}

fn shown(reply: &Reply) -> Result<Shown, Trouble> {
    match reply.status {
        StatusCode::OK | StatusCode::CONFLICT => parsed(reply),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Err(Trouble::Contradiction(format!("status {status}")))
        }
        status => Err(Trouble::NoAnswer(format!("status {status}"))),
    }
}

fn parsed<T: for<'a> Deserialize<'a>>(reply: &Reply) -> Result<T, Trouble> {
    serde_json::from_slice(&reply.body).map_err(|error| Trouble::NoAnswer(format!("it cannot be read: {error}")))
}

/// A short text of an outside service, which is stored and shown: letters, digits and little else.
fn plain(text: &str) -> String {
    const LONGEST: usize = 64;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let text: String = text.chars().take(LONGEST).map(|c| if is_plain(c) { c } else { '?' }).collect();
    // A decline has a reason, and whoever reads none would take it for none.
    if text.is_empty() { "unknown".to_owned() } else { text }
}
