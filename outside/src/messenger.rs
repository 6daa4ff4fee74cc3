//! A provider of messages to phones: AlimTalk and SMS. It takes a message under an id of the sender's and refuses that id
//! ever after; whether the message arrived is known a while later and has to be asked for. It keeps books of what really
//! reached a phone.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use service_kit::clock::{Clock, SystemClock};

use crate::listen::Listening;
use crate::mood::{Mood, Moody};

/// Longest id of a message.
const LONGEST_ID: usize = 40;
/// Phones of people who do not use AlimTalk end so.
pub const NO_ALIMTALK: &str = "0000";

/// What the provider is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:7082")]
    listen: String,
    /// What is left to chance follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    behaviour: Behaviour,
}

/// Runs the provider until it is asked to end.
///
/// # Errors
/// When it cannot listen.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let provider = Messenger::new(arguments.behaviour, arguments.seed, Arc::new(SystemClock));
    let listening = provider.listen(&arguments.listen).await?;
    println!("messenger: {}", listening.url());
    service_kit::serve::shutdown_signal()?.await;
    Ok(())
}

/// How it behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Towards any request.
    #[command(flatten)]
    pub mood: Mood,
    /// From acceptance until it is known what became of a message.
    #[arg(long, default_value_t)]
    pub settle_ms: i64,
    /// AlimTalk messages in a hundred that are accepted and do not arrive.
    #[arg(long, default_value_t)]
    pub failure_percent: u8,
    /// Messages that are taken in a second; 0 for any number.
    #[arg(long, default_value_t)]
    pub per_second: usize,
}

/// What a sender sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The sender's own, 40 bytes at most.
    pub message_id: String,
    /// `ALIMTALK` or `SMS`.
    pub channel: String,
    /// Which text.
    pub template_code: String,
    /// What is filled in there.
    pub variables: BTreeMap<String, String>,
    /// `+` and digits.
    pub phone_number: String,
    /// When it is of no use any more, in milliseconds since the Unix epoch.
    pub expire_time_ms: i64,
}

/// What happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// What reached a phone, in the order in which it was taken.
    pub delivered: Vec<Message>,
    /// What was taken and did not arrive.
    pub failed: Vec<Message>,
    /// What was taken and may still arrive.
    pub under_way: usize,
    /// Ids that were refused because they had been used.
    pub repeats_refused: usize,
    /// Messages that were turned away because there were too many at once.
    pub turned_away: usize,
}

/// The provider; cheap to clone.
#[derive(Debug, Clone)]
pub struct Messenger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    moody: Moody,
    state: Mutex<Ledger>,
}

#[derive(Debug, Default)]
struct Ledger {
    behaviour: Behaviour,
    taken: Vec<Taken>,
    places: BTreeMap<String, usize>,
    // When the last ones were taken.
    recent: VecDeque<i64>,
    repeats_refused: usize,
    turned_away: usize,
}

#[derive(Debug)]
struct Taken {
    message: Message,
    settle_time: i64,
    arrives: bool,
}

impl Messenger {
    /// A provider with empty books. It goes by `clock`; what is left to chance follows from the seed.
    pub fn new(behaviour: Behaviour, seed: u64, clock: Arc<dyn Clock>) -> Self {
        let state = Mutex::new(Ledger { behaviour, ..Ledger::default() });
        Self(Arc::new(Inner { clock, moody: Moody::new(behaviour.mood, seed), state }))
    }

    /// Serves on `listen`: `POST /v1/messages`, `GET /v1/messages/{id}`; and for whoever plays with it, `GET /books` and
    /// `GET` and `PUT /behaviour`.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn listen(&self, listen: &str) -> std::io::Result<Listening> {
        let router = Router::new()
            .route("/v1/messages", post(take))
            .route("/v1/messages/{id}", get(result))
            .route("/books", get(async |State(own): State<Self>| Json(own.books())))
            .route("/behaviour", get(async |State(own): State<Self>| Json(own.behaviour())).put(behave))
            .with_state(self.clone());
        Listening::on(listen, router).await
    }

    /// Behaves otherwise from now on; what was taken keeps its fate.
    pub fn set(&self, behaviour: Behaviour) {
        self.0.moody.set(behaviour.mood);
        self.ledger().behaviour = behaviour;
    }

    /// How it behaves.
    pub fn behaviour(&self) -> Behaviour {
        self.ledger().behaviour
    }

    /// What happened so far.
    pub fn books(&self) -> Books {
        let now_ms = self.0.clock.now_ms();
        let ledger = self.ledger();
        let (repeats_refused, turned_away) = (ledger.repeats_refused, ledger.turned_away);
        let mut books = Books { repeats_refused, turned_away, ..Books::default() };
        for taken in &ledger.taken {
            match taken.outcome(now_ms) {
                Outcome::Pending => books.under_way += 1,
                Outcome::Delivered => books.delivered.push(taken.message.clone()),
                Outcome::Failed => books.failed.push(taken.message.clone()),
            }
        }
        books
    }

    fn take(&self, message: Message) -> Response {
        let now_ms = self.0.clock.now_ms();
        let mut ledger = self.ledger();
        if let Some(code) = wrong(&message, now_ms) {
            return no(StatusCode::BAD_REQUEST, code);
        }
        if ledger.places.contains_key(&message.message_id) {
            ledger.repeats_refused += 1;
            return no(StatusCode::CONFLICT, "DUPLICATE_MESSAGE_ID");
        }
        if ledger.is_full(now_ms) {
            ledger.turned_away += 1;
            let body = Json(json!({ "code": "TOO_MANY_REQUESTS" }));
            return (StatusCode::TOO_MANY_REQUESTS, [(http::header::RETRY_AFTER, "1")], body).into_response();
        }
        let Behaviour { settle_ms, failure_percent, .. } = ledger.behaviour;
        let is_alimtalk = message.channel == "ALIMTALK";
        let fails =
            is_alimtalk && (message.phone_number.ends_with(NO_ALIMTALK) || self.0.moody.happens(failure_percent));
        let settle_time = now_ms.saturating_add(settle_ms);
        let place = ledger.taken.len();
        ledger.places.insert(message.message_id.clone(), place);
        ledger.recent.push_back(now_ms);
        ledger.taken.push(Taken { message, settle_time, arrives: !fails });
        (StatusCode::ACCEPTED, Json(json!({ "status": "ACCEPTED" }))).into_response()
    }

    fn result(&self, id: &str) -> Response {
        let ledger = self.ledger();
        let Some(taken) = ledger.places.get(id).and_then(|place| ledger.taken.get(*place)) else {
            return no(StatusCode::NOT_FOUND, "UNKNOWN_MESSAGE_ID");
        };
        match taken.outcome(self.0.clock.now_ms()) {
            Outcome::Pending => Json(json!({ "status": "PENDING" })).into_response(),
            Outcome::Delivered => Json(json!({ "status": "DELIVERED" })).into_response(),
            Outcome::Failed => Json(json!({ "status": "FAILED", "code": "NOT_A_KAKAOTALK_USER" })).into_response(),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of a message.
enum Outcome {
    Pending,
    Delivered,
    Failed,
}

impl Taken {
    fn outcome(&self, now_ms: i64) -> Outcome {
        match now_ms >= self.settle_time {
            false => Outcome::Pending,
            true if self.arrives => Outcome::Delivered,
            true => Outcome::Failed,
        }
    }
}

impl Ledger {
    /// Whether as many as may be were taken within the last second.
    fn is_full(&mut self, now_ms: i64) -> bool {
        while self.recent.front().is_some_and(|taken| now_ms - taken >= 1_000) {
            self.recent.pop_front();
        }
        self.behaviour.per_second > 0 && self.recent.len() >= self.behaviour.per_second
    }
}

fn wrong(message: &Message, now_ms: i64) -> Option<&'static str> {
    let digits = message.phone_number.strip_prefix('+').unwrap_or_default();
    match message {
        _ if !(1..=LONGEST_ID).contains(&message.message_id.len()) => Some("INVALID_MESSAGE_ID"),
        _ if !["ALIMTALK", "SMS"].contains(&message.channel.as_str()) => Some("INVALID_CHANNEL"),
        _ if message.template_code.is_empty() => Some("UNKNOWN_TEMPLATE"),
        _ if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) => Some("INVALID_PHONE_NUMBER"),
        _ if message.expire_time_ms <= now_ms => Some("EXPIRED"),
        _ => None,
    }
}

fn no(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({ "code": code }))).into_response()
}

async fn take(State(own): State<Messenger>, Json(message): Json<Message>) -> Response {
    own.0.moody.answer(|| own.take(message)).await
}

async fn result(State(own): State<Messenger>, Path(id): Path<String>) -> Response {
    own.0.moody.answer(|| own.result(&id)).await
}

async fn behave(State(own): State<Messenger>, Json(behaviour): Json<Behaviour>) {
    own.set(behaviour);
}
