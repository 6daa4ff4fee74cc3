//! What a delivery is, and what follows from an attempt. Pure.

use service_kit::ids;
use service_kit::refusal::Refusal;
use uuid::{Builder, Uuid};

/// The shortest and the longest wait after a failed attempt, before jitter.
const BACKOFF_MS: (i64, i64) = (2_000, 600_000);
/// The shortest and the longest wait until a message that was accepted is asked for again.
const POLL_MS: (i64, i64) = (1_000, 60_000);
/// The longest wait that a provider may ask for.
const LONGEST_WAIT_MS: i64 = 600_000;
/// How long a notice is of use, where its event does not say.
pub(crate) const NOTICE_MS: i64 = 24 * 60 * 60 * 1_000;
/// Characters of what is kept of a failure.
const ERROR_LIMIT: usize = 200;

/// Where a delivery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// A notice in KakaoTalk.
    Alimtalk = 1,
    /// The same as a text message, where that did not arrive.
    Sms = 2,
    /// A row in the data platform.
    Platform = 3,
}

impl Channel {
    pub(crate) const ALL: [Self; 3] = [Self::Alimtalk, Self::Sms, Self::Platform];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alimtalk => "KAKAO_ALIMTALK",
            Self::Sms => "SMS",
            Self::Platform => "DATA_PLATFORM",
        }
    }
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing has failed yet.
    Pending = 1,
    /// It arrived.
    Succeeded = 2,
    /// Failed at least once.
    Retrying = 3,
    /// Given up.
    Dead = 4,
    /// Not to be sent.
    Skipped = 5,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Pending, Self::Succeeded, Self::Retrying, Self::Dead, Self::Skipped];

    /// As the contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Succeeded => "SUCCEEDED",
            Self::Retrying => "RETRYING",
            Self::Dead => "DEAD",
            Self::Skipped => "SKIPPED",
        }
    }
}

/// A delivery that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) event_source: String,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) channel: Channel,
    pub(crate) saga: Option<Uuid>,
    /// Whose phone it goes to.
    pub(crate) customer: Option<Uuid>,
    /// What is sent, without anybody's number.
    pub(crate) payload: Vec<u8>,
    pub(crate) expire_time: i64,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) draft: Draft,
    pub(crate) state: State,
    /// How often it was sent, or was about to be.
    pub(crate) attempt_count: i64,
    /// Grows with each claim: whoever writes what became of an attempt shows that it is still his.
    pub(crate) version: i64,
    pub(crate) last_error: String,
    pub(crate) next_attempt_time: Option<i64>,
    /// When the provider took the message; what became of it is not known yet.
    pub(crate) accept_time: Option<i64>,
    pub(crate) create_time: i64,
    pub(crate) end_time: Option<i64>,
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The provider has the message, now or since an earlier attempt.
    Accepted,
    /// It has it still.
    Waiting,
    /// It could not be asked, and why.
    Unasked(Problem),
    /// It arrived.
    Delivered,
    /// It will not arrive, for certain.
    Failed(String),
    /// The provider does not know the message that it accepted.
    Lost,
    /// It may or may not have been taken; the same again may help.
    Unsent(Problem),
    /// Its time was over before it could be sent.
    Late,
    /// It is not to be sent, and why.
    Skipped(&'static str),
}

/// Why an attempt did not get through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) text: String,
    /// Whether others would fare no better.
    pub(crate) is_outage: bool,
    /// When to come again, if the other side says so.
    pub(crate) after_ms: Option<i64>,
}

/// What is written after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) state: State,
    /// Nothing once it has ended.
    pub(crate) next_attempt_time: Option<i64>,
    pub(crate) accept_time: Option<i64>,
    pub(crate) last_error: String,
    /// What goes out in its place.
    pub(crate) fallback: Option<Draft>,
}

impl Outcome {
    /// What others would meet as well.
    pub(crate) fn outage(&self) -> Option<&str> {
        match self {
            Self::Unsent(problem) | Self::Unasked(problem) => problem.is_outage.then_some(&problem.text),
            Self::Accepted | Self::Waiting | Self::Delivered | Self::Failed(_) | Self::Lost | Self::Late => None,
            Self::Skipped(_) => None,
        }
    }
}

impl Draft {
    /// Of the time of the event, so that deliveries sort by that; the same for the same event and channel.
    pub(crate) fn id(&self) -> Uuid {
        id(&self.event_source, self.event_id, self.channel)
    }

    /// What the provider knows a message by: 32 characters, the same for every attempt.
    pub(crate) fn message_id(&self) -> Option<String> {
        match self.channel {
            Channel::Alimtalk => Some(self.event_id.simple().to_string()),
            Channel::Sms => Some(ids::derived(self.event_id, "sms").simple().to_string()),
            Channel::Platform => None,
        }
    }
}

/// The id of an event's delivery to a channel.
pub(crate) fn id(event_source: &str, event_id: Uuid, channel: Channel) -> Uuid {
    let hash = ids::derived(event_id, &format!("{event_source} {}", channel.name()));
    let (time, mut rest) = (*event_id.as_bytes(), [0; 10]);
    rest.copy_from_slice(&hash.as_bytes()[..10]);
    let ms = time[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte));
    Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}

impl Delivery {
    /// Whether its time was over before it could be sent.
    pub(crate) fn is_late(&self, now_ms: i64) -> bool {
        self.accept_time.is_none() && now_ms >= self.draft.expire_time
    }

    /// What follows from an attempt that ended now.
    pub(crate) fn after(&self, outcome: &Outcome, now_ms: i64, jitter: u64) -> Change {
        match outcome {
            Outcome::Delivered => self.ended(State::Succeeded, String::new()),
            Outcome::Skipped(why) => self.ended(State::Skipped, (*why).to_owned()),
            Outcome::Failed(code) => {
                let fallback = (self.draft.channel == Channel::Alimtalk && now_ms < self.draft.expire_time)
                    .then(|| Draft { channel: Channel::Sms, ..self.draft.clone() });
                Change { fallback, ..self.ended(State::Dead, code.clone()) }
            }
            Outcome::Late => {
                let never = if self.last_error.is_empty() { "it could not be sent in time" } else { &self.last_error };
                self.ended(State::Dead, never.to_owned())
            }
            Outcome::Accepted => self.waits(now_ms, POLL_MS.0, Some(now_ms)),
            Outcome::Waiting => self.waits(now_ms, self.poll_ms(now_ms), self.accept_time),
            Outcome::Unasked(problem) => {
                let waits = self.waits(now_ms, self.poll_ms(now_ms), self.accept_time);
                Change { last_error: short(&problem.text), ..waits }
            }
            Outcome::Lost => {
                let wait_ms = backoff_ms(self.attempt_count, jitter);
                let lost = "the provider does not know the message that it accepted".to_owned();
                Change { state: State::Retrying, last_error: lost, ..self.waits(now_ms, wait_ms, None) }
            }
            Outcome::Unsent(problem) => {
                let backoff_ms = backoff_ms(self.attempt_count, jitter);
                let wait_ms = problem.after_ms.map_or(backoff_ms, |asked| asked.clamp(backoff_ms, LONGEST_WAIT_MS));
                let waits = self.waits(now_ms, wait_ms, None);
                let state = if waits.state == State::Dead { State::Dead } else { State::Retrying };
                Change { state, last_error: short(&problem.text), ..waits }
            }
        }
    }

    /// The longer it has taken, the longer it may still take.
    fn poll_ms(&self, now_ms: i64) -> i64 {
        let since_ms = self.accept_time.map_or(0, |accepted| now_ms.saturating_sub(accepted));
        (since_ms / 2).clamp(POLL_MS.0, POLL_MS.1)
    }

    /// Goes on after a while, or ends if its time is over.
    fn waits(&self, now_ms: i64, wait_ms: i64, accept_time: Option<i64>) -> Change {
        let last_error = self.last_error.clone();
        if now_ms >= self.draft.expire_time {
            return Change { accept_time, ..self.ended(State::Dead, last_error) };
        }
        let next = now_ms.saturating_add(wait_ms).min(self.draft.expire_time);
        Change { state: self.state, next_attempt_time: Some(next), accept_time, last_error, fallback: None }
    }

    fn ended(&self, state: State, last_error: String) -> Change {
        let last_error = short(&last_error);
        Change { state, next_attempt_time: None, accept_time: self.accept_time, last_error, fallback: None }
    }

    /// Why it is not tried again.
    pub(crate) fn cannot_retry(&self, stand_in: Option<Uuid>) -> Refusal {
        let state = self.state.name();
        let message = match stand_in {
            Some(sms) => format!("{} went out as an SMS in its place; look at {}", name(self.id), name(sms)),
            None => format!("{} is {state}", name(self.id)),
        };
        Refusal::precondition("DELIVERY_ENDED", message).with("state", state)
    }
}

/// From half of a ceiling that doubles with each attempt up to all of it.
fn backoff_ms(attempts: i64, jitter: u64) -> i64 {
    let doublings = attempts.saturating_sub(1).clamp(0, 20);
    let ceiling = (BACKOFF_MS.0 << doublings).min(BACKOFF_MS.1);
    let half = ceiling / 2;
    half + (jitter % half.unsigned_abs().max(1)).cast_signed()
}

/// A failure in no more characters than are kept, and none that a database cannot keep.
fn short(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(ERROR_LIMIT).collect()
}

pub(crate) fn name(id: Uuid) -> String {
    format!("deliveries/{id}")
}

#[cfg(test)]
mod tests;
