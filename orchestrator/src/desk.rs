//! What every face of the orchestrator works with, and the two things that all of them do: look a saga up, and have an
//! intervention carried out.

use std::sync::Arc;

use futures_util::Stream;
use saga::{Event, Illegal};
use service_kit::clock::Clock;
use service_kit::refusal::{Fault, Refusal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bulk;
use crate::config::Config;
use crate::faults;
use crate::follow::Follow;
use crate::journal::Record;
use crate::participants::Participants;
use crate::plans::Plans;
use crate::runner::{self, Intervention};
use crate::shards::Shards;
use crate::status::wire;

/// Shared by the faces; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) shards: Shards,
    pub(crate) plans: Plans,
    pub(crate) participants: Arc<Participants>,
    pub(crate) bulk: bulk::Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: CancellationToken,
    pub(crate) config: Config,
}

/// A kind of resource that stands for sagas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Face {
    /// The first segment of its names.
    pub(crate) collection: &'static str,
    /// The only kind of saga among them.
    pub(crate) kind: Option<&'static str>,
    /// The reason when there is none of that name.
    pub(crate) missing: &'static str,
}

impl Face {
    /// The id in a name.
    pub(crate) fn id(&self, field: &str, name: &str) -> Result<Uuid, Fault> {
        service_kit::ids::name(field, name, self.collection)
    }

    pub(crate) fn not_found(&self, id: Uuid) -> Fault {
        Refusal::not_found(self.missing, format!("{}/{id}", self.collection)).into()
    }
}

impl Desk {
    /// The saga as it stands.
    pub(crate) async fn load(&self, face: &Face, id: Uuid) -> Result<Record, Fault> {
        let record = self.shards.load(id).await.map_err(faults::of_journal)?;
        let is_meant = |record: &Record| face.kind.is_none_or(|kind| record.kind == kind);
        record.filter(is_meant).ok_or_else(|| face.not_found(id))
    }

    pub(crate) fn follow(&self, id: Uuid) -> Follow {
        Follow::new(&self.shards.of(id).journal, id)
    }

    /// The saga as it stands and each newer version, until it has ended or this process is about to.
    pub(crate) async fn versions(
        &self,
        face: &Face,
        id: Uuid,
    ) -> Result<impl Stream<Item = Arc<Record>> + Send + use<>, Fault> {
        let follow = self.follow(id);
        let first = self.load(face, id).await?;
        Ok(follow.versions(Arc::new(first), self.stop.clone()))
    }

    /// Has a person's wish carried out and answers the saga as it stands then. What is so already is fine.
    pub(crate) async fn intervene(
        &self,
        face: &Face,
        id: Uuid,
        intervention: Intervention,
    ) -> Result<Arc<Record>, Fault> {
        let resumes = matches!(intervention.event, Event::Resume(_));
        let illegal = match self.shards.intervene(id, intervention).await {
            Ok(record) => return Ok(record),
            Err(runner::Error::NotFound) => return Err(face.not_found(id)),
            Err(runner::Error::Illegal(illegal)) => illegal,
            Err(error) => return Err(faults::of_runner(error)),
        };
        let record = self.load(face, id).await?;
        let state = wire::state(record.saga.state()).as_str_name();
        if illegal == Illegal::Nothing && !resumes {
            return Ok(Arc::new(record));
        }
        let (reason, message) = if illegal == Illegal::Nothing {
            ("SAGA_NOT_SUSPENDED", format!("the saga is not suspended; it is {state}"))
        } else {
            (illegal.reason(), format!("{illegal}; it is {state}"))
        };
        Err(Refusal::precondition(reason, message).with("state", state).into())
    }
}
