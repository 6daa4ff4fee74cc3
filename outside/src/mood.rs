//! How well a stand-in behaves at the moment: what each request meets before and after it is worked on.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What may go wrong with any request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct Mood {
    /// How long an answer takes, once its work is done.
    #[arg(long, default_value_t)]
    pub answer_ms: u64,
    /// Requests in a hundred that are turned away with a 500 and have no effect.
    #[arg(long, default_value_t)]
    pub error_percent: u8,
    /// Requests in a hundred that are worked on and whose reply is lost.
    #[arg(long, default_value_t)]
    pub lost_percent: u8,
    /// Every connection breaks off and nothing is done.
    #[arg(long)]
    pub down: bool,
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Answered,
    TurnedAway,
    Lost,
    Broken,
}

/// A mood that can be changed while requests come, and the chances that it throws.
#[derive(Debug)]
pub struct Moody(Mutex<(Mood, fastrand::Rng)>);

impl Moody {
    /// Everything that is left to chance follows from the seed.
    pub fn new(mood: Mood, seed: u64) -> Self {
        Self(Mutex::new((mood, fastrand::Rng::with_seed(seed))))
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        self.both().0 = mood;
    }

    /// At the moment.
    pub fn get(&self) -> Mood {
        self.both().0
    }

    /// Whether something that happens so often in a hundred times happens now.
    pub fn happens(&self, percent: u8) -> bool {
        self.both().1.u8(..100) < percent
    }

    /// Does `work` and answers, or whatever the mood makes of it.
    pub async fn answer(&self, work: impl FnOnce() -> Response) -> Response {
        let (mood, turn) = self.turn();
        let response = match turn {
            Turn::Broken => return cut(),
            Turn::TurnedAway => {
                (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "code": "TRY_AGAIN" }))).into_response()
            }
            Turn::Lost => {
                drop(work());
                cut()
            }
            Turn::Answered => work(),
        };
        if mood.answer_ms > 0 {
            tokio::time::sleep(Duration::from_millis(mood.answer_ms)).await;
        }
        response
    }

    fn turn(&self) -> (Mood, Turn) {
        let mut both = self.both();
        let (mood, chance) = &mut *both;
        // Thrown for every request, so that a mood does not change what later requests meet.
        let (error, lost) = (chance.u8(..100), chance.u8(..100));
        let turn = match mood {
            Mood { down: true, .. } => Turn::Broken,
            Mood { error_percent, .. } if error < *error_percent => Turn::TurnedAway,
            Mood { lost_percent, .. } if lost < *lost_percent => Turn::Lost,
            _ => Turn::Answered,
        };
        (*mood, turn)
    }

    fn both(&self) -> MutexGuard<'_, (Mood, fastrand::Rng)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An answer that breaks off before its end, so that its caller has none.
fn cut() -> Response {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the stand-in lost its reply");
    Response::new(Body::from_stream(stream::iter([Err::<bytes::Bytes, _>(broken)])))
}
