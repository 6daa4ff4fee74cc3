//! The services that a saga calls, by the names that plans use. A call is bytes in, bytes out: the request was encoded
//! when its intent was written, and every attempt sends the same one. Nothing here decides what an answer means for a
//! saga; `outcome.rs` only says of which class it is.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::uri::PathAndQuery;
use prost::Message as _;
use service_kit::barrier::{SAGA_EPOCH, SAGA_STEP};
use service_kit::db::Db;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};

mod outcome;
mod transport;

pub(crate) use outcome::not_sent;
pub use outcome::{classify, lie};
pub use transport::{BoxError, Participant};

/// Read once for the whole process.
static PATHS: LazyLock<Paths> = LazyLock::new(Paths::of_contracts);

/// The gRPC path of `participant/Method` as plans spell it, for every method of every service.
#[derive(Debug)]
struct Paths(BTreeMap<String, PathAndQuery>);

impl Paths {
    /// Reads the paths from the contracts: `concert/LockReservation` is the method of that name in
    /// `ticketing.concert.v1`.
    fn of_contracts() -> Self {
        let contracts = prost_types::FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET)
            .expect("the compiled contracts are a descriptor set");
        let mut paths = BTreeMap::new();
        for file in &contracts.file {
            let participant = file.package().trim_start_matches("ticketing.").trim_end_matches(".v1");
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let path = path.parse().expect("names of services and methods make a path");
                    paths.insert(format!("{participant}/{}", method.name()), path);
                }
            }
        }
        Self(paths)
    }
}

/// One attempt, on its way out.
#[derive(Debug, Clone)]
pub struct Call {
    /// `participant/Method`.
    pub method: &'static str,
    /// The step's id, which the participant's barrier keeps.
    pub step: &'static str,
    /// The sender's epoch.
    pub epoch: i64,
    /// The encoded request.
    pub request: Bytes,
    /// How long to wait for the answer.
    pub timeout: Duration,
}

/// All participants.
#[derive(Debug)]
pub struct Participants {
    paths: &'static Paths,
    by_name: BTreeMap<&'static str, Participant>,
    within: Option<Db>,
}

impl Participants {
    /// The given participants under the names that plans use.
    pub fn new(by_name: impl IntoIterator<Item = (&'static str, Participant)>) -> Self {
        Self { paths: &PATHS, by_name: by_name.into_iter().collect(), within: None }
    }

    /// The same, all of which live in this process and keep their tables in `db`: their answers may come ahead of its
    /// commits.
    #[must_use]
    pub fn within(self, db: &Db) -> Self {
        Self { within: Some(db.clone()), ..self }
    }

    /// Whether a journal in `db` may be ahead of its commits too: then all that follows from it lies in the same log.
    pub(crate) fn are_within(&self, db: &Db) -> bool {
        self.within.as_ref().is_some_and(|within| within.is_one_with(db))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }

    /// The full gRPC name of a method as plans spell it.
    pub fn full_name<'a>(&'a self, method: &'a str) -> &'a str {
        self.paths.0.get(method).map_or(method, |path| path.path().trim_start_matches('/'))
    }

    /// A client of one participant, for calls that are no step of a saga.
    pub fn client(&self, name: &str) -> Option<Participant> {
        self.by_name.get(name).cloned()
    }

    /// Sends one attempt and waits for its answer, no longer than its timeout: nobody else enforces one in process.
    ///
    /// # Errors
    /// The participant's status, or what the transport makes of a call that got no answer.
    pub async fn call(&self, call: Call) -> Result<Bytes, Status> {
        let (participant, path) = self.route(call.method)?;
        let mut request = Request::new(call.request);
        request.set_timeout(call.timeout);
        request.metadata_mut().insert(SAGA_STEP, MetadataValue::from_static(call.step));
        request.metadata_mut().insert(SAGA_EPOCH, MetadataValue::<Ascii>::from(call.epoch));
        let answer = AssertUnwindSafe(participant.unary(path, request)).catch_unwind();
        let answer = tokio::time::timeout(call.timeout, answer);
        let answer = match &self.within {
            Some(db) => db.ahead(answer).await,
            None => answer.await,
        };
        match answer {
            Ok(Ok(answer)) => answer,
            // In process, it would end its caller too. Its text and place are in the log.
            Ok(Err(_panic)) => Err(Status::internal("the participant panicked")),
            Err(_) => Err(Status::deadline_exceeded(format!("no answer within {} ms", call.timeout.as_millis()))),
        }
    }

    fn route(&self, method: &str) -> Result<(Participant, PathAndQuery), Status> {
        let name = method.split('/').next().unwrap_or_default();
        let participant = self.by_name.get(name).cloned();
        participant
            .zip(self.paths.0.get(method).cloned())
            .ok_or_else(|| Status::unimplemented(format!("no participant serves {method}")))
    }
}
