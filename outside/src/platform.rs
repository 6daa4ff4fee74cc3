//! A data platform: it takes batches of CloudEvents in JSON and keeps each by its source and id, so that what comes again
//! changes nothing. It keeps books of what came how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::listen::Listening;
use crate::mood::{Mood, Moody};

/// Events in one batch at most.
const LARGEST_BATCH: usize = 1_000;

/// What the platform is started with.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:7083")]
    listen: String,
    /// What is left to chance follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    behaviour: Behaviour,
}

/// Runs the platform until it is asked to end.
///
/// # Errors
/// When it cannot listen.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let platform = Platform::new(arguments.behaviour, arguments.seed);
    let listening = platform.listen(&arguments.listen).await?;
    println!("platform: {}", listening.url());
    service_kit::serve::shutdown_signal()?.await;
    Ok(())
}

/// How it behaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Towards any request.
    #[command(flatten)]
    pub mood: Mood,
    /// A type of event for which it refuses every batch that holds one.
    #[arg(long, default_value_t)]
    pub refused_type: String,
}

/// What happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Each event that is kept, by source and id, and how often it came.
    pub events: BTreeMap<(String, String), usize>,
    /// Batches that were kept.
    pub batches: usize,
    /// Events of the largest of them.
    pub largest_batch: usize,
    /// Batches that were refused for what was in them.
    pub refused: usize,
}

/// The platform; cheap to clone.
#[derive(Debug, Clone)]
pub struct Platform(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    moody: Moody,
    state: Mutex<(Behaviour, Books)>,
}

/// What a caller of `GET /books` is told: a sum.
#[derive(Debug, Serialize)]
struct Sums {
    events: usize,
    repeats: usize,
    batches: usize,
    largest_batch: usize,
    refused: usize,
}

impl Platform {
    /// A platform with empty books. What is left to chance follows from the seed.
    pub fn new(behaviour: Behaviour, seed: u64) -> Self {
        let moody = Moody::new(behaviour.mood, seed);
        Self(Arc::new(Inner { moody, state: Mutex::new((behaviour, Books::default())) }))
    }

    /// Serves on `listen`: `POST /v1/events`; and for whoever plays with it, `GET /books` and `GET` and `PUT /behaviour`.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub async fn listen(&self, listen: &str) -> std::io::Result<Listening> {
        let router = Router::new()
            .route("/v1/events", post(take))
            .route("/books", get(async |State(own): State<Self>| Json(own.sums())))
            .route("/behaviour", get(async |State(own): State<Self>| Json(own.state().0.clone())).put(behave))
            .with_state(self.clone());
        Listening::on(listen, router).await
    }

    /// Behaves otherwise from now on.
    pub fn set(&self, behaviour: Behaviour) {
        self.0.moody.set(behaviour.mood);
        self.state().0 = behaviour;
    }

    /// What happened so far.
    pub fn books(&self) -> Books {
        self.state().1.clone()
    }

    fn sums(&self) -> Sums {
        let books = self.books();
        let (events, times) = (books.events.len(), books.events.values().sum::<usize>());
        let Books { batches, largest_batch, refused, .. } = books;
        Sums { events, repeats: times - events, batches, largest_batch, refused }
    }

    fn take(&self, batch: &[Value]) -> Response {
        let mut state = self.state();
        let (behaviour, books) = &mut *state;
        let text = |event: &Value, key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let keys: Vec<_> = batch.iter().map(|event| (text(event, "source"), text(event, "id"))).collect();
        let is_refused =
            |event: &Value| text(event, "type").is_empty() || text(event, "type") == behaviour.refused_type;
        let is_wrong =
            keys.iter().any(|(source, id)| source.is_empty() || id.is_empty()) || batch.iter().any(is_refused);
        if is_wrong || batch.len() > LARGEST_BATCH {
            books.refused += 1;
            return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "code": "INVALID_EVENT" }))).into_response();
        }
        for key in keys {
            *books.events.entry(key).or_default() += 1;
        }
        books.batches += 1;
        books.largest_batch = books.largest_batch.max(batch.len());
        Json(json!({ "stored": batch.len() })).into_response()
    }

    fn state(&self) -> MutexGuard<'_, (Behaviour, Books)> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(own): State<Platform>, Json(batch): Json<Vec<Value>>) -> Response {
    own.0.moody.answer(|| own.take(&batch)).await
}

async fn behave(State(own): State<Platform>, Json(behaviour): Json<Behaviour>) {
    own.set(behaviour);
}
