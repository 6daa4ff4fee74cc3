//! Scripted faults in front of a participant. A script sees every call before it is made and says what becomes of it; what
//! a network can do to a message, it can do.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use orchestrator::participants::{BoxError, Participant};
use service_kit::barrier::SAGA_STEP;
use service_kit::refusal::{Refusal, SagaOutcome};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

/// One call of the orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Name of the method, such as `LockReservation`.
    pub method: String,
    /// The step's id.
    pub step: String,
    /// How many calls of this method there were before, for all sagas.
    pub earlier: usize,
}

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It arrives and is answered.
    Pass,
    /// It never arrives, and the caller cannot tell.
    LoseRequest,
    /// It has its effect, and the caller cannot tell.
    LoseReply,
    /// It arrives this much later, when the caller has given up long ago.
    Late(Duration),
    /// It takes this long on its way, answered or not.
    Slow(Duration),
    /// It arrives twice; the second answer counts.
    Twice,
    /// It arrives, and once more this much later.
    Again(Duration),
    /// It never arrives, and nobody answers.
    Hang,
    /// It never arrives, and the caller knows.
    NotSent,
    /// Somebody in between sends it twice. One copy has its effect; the other, whose answer counts, was rolled back.
    OneOfTwo,
    /// The participant says no before it does anything. (A real refusal is stored; this one stands for any reason.)
    Refuse(&'static str),
    /// Somebody in between answers with this status; it never arrives.
    Answer(tonic::Code),
    /// It has its effect, and the answer is garbage.
    Garbage,
    /// It has its effect, and an empty message is the answer.
    Empty,
    /// It never arrives; an outside party is said to decide still.
    Pending,
    /// It never arrives; the participant asks for time.
    Overloaded,
}

type Script = Arc<dyn Fn(&Seen) -> Fault + Send + Sync>;

/// The script in force, and all calls so far.
#[derive(Clone)]
pub struct Faults {
    script: Arc<Mutex<Script>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("seen", &self.seen().len()).finish_non_exhaustive()
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self { script: Arc::new(Mutex::new(Arc::new(|_| Fault::Pass))), seen: Arc::default() }
    }
}

impl Faults {
    /// Replaces the script.
    pub fn script(&self, script: impl Fn(&Seen) -> Fault + Send + Sync + 'static) {
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(script);
    }

    /// Lets everything pass from now on.
    pub fn heal(&self) {
        self.script(|_| Fault::Pass);
    }

    /// Every call of `method` suffers `fault`.
    pub fn always(&self, method: &'static str, fault: Fault) {
        self.script(move |seen| if seen.method == method { fault.clone() } else { Fault::Pass });
    }

    /// The first call of `method` suffers `fault`.
    pub fn once(&self, method: &'static str, fault: Fault) {
        let before = self.count(method);
        self.script(
            move |seen| if seen.method == method && seen.earlier == before { fault.clone() } else { Fault::Pass },
        );
    }

    /// How many calls of `method` there were.
    pub fn count(&self, method: &str) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|seen| seen.method == method).count()
    }

    /// All steps that were called for so far. Looks in the background are none.
    pub fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.retain(|seen| !seen.step.is_empty());
        seen
    }

    /// Puts the script in front of a participant.
    pub fn wrap(&self, participant: Participant) -> Participant {
        Participant::new(Faulty { faults: self.clone(), inner: participant })
    }

    fn next(&self, request: &http::Request<Body>) -> Fault {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let step = request.headers().get(SAGA_STEP).and_then(|step| step.to_str().ok()).unwrap_or_default().to_owned();
        let seen = {
            let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let earlier = all.iter().filter(|seen| seen.method == method).count();
            let seen = Seen { method, step, earlier };
            all.push(seen.clone());
            seen
        };
        let script = self.script.lock().unwrap_or_else(PoisonError::into_inner).clone();
        script(&seen)
    }
}

/// A participant behind a script.
#[derive(Clone)]
struct Faulty {
    faults: Faults,
    inner: Participant,
}

impl Service<http::Request<Body>> for Faulty {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fault = self.faults.next(&request);
        let inner = self.inner.clone();
        Box::pin(async move { suffer(fault, Message::read(request).await?, inner).await })
    }
}

async fn suffer(fault: Fault, message: Message, inner: Participant) -> Result<http::Response<Body>, BoxError> {
    let lost = || Err::<http::Response<Body>, BoxError>("the connection was cut".into());
    match fault {
        Fault::Pass => message.send(inner).await,
        Fault::LoseRequest => lost(),
        Fault::LoseReply => message.send(inner).await.and_then(|_| lost()),
        Fault::Late(delay) => {
            message.send_later(inner, delay);
            lost()
        }
        Fault::Slow(delay) => {
            tokio::time::sleep(delay).await;
            message.send(inner).await
        }
        Fault::Twice => {
            message.send(inner.clone()).await?;
            message.send(inner).await
        }
        Fault::Again(delay) => {
            message.send_later(inner.clone(), delay);
            message.send(inner).await
        }
        Fault::Hang => std::future::pending().await,
        Fault::OneOfTwo => {
            message.send(inner).await?;
            Ok(SagaOutcome::NotApplied.mark(Status::unavailable("rolled back")).into_http())
        }
        Fault::NotSent => Err(Box::new(tonic::ConnectError("nobody listens".into()))),
        Fault::Refuse(reason) => {
            let refusal = Refusal::precondition(reason, "scripted").into_status("tests");
            Ok(SagaOutcome::Refused.mark(refusal).into_http())
        }
        Fault::Answer(code) => Ok(Status::new(code, "scripted").into_http()),
        Fault::Garbage => message.send(inner).await.map(|_| answer(&[0, 0, 0, 0, 3, 0xff, 0xff, 0xff])),
        Fault::Empty => message.send(inner).await.map(|_| answer(&[0, 0, 0, 0, 0])),
        Fault::Pending => Ok(SagaOutcome::Pending.mark(Status::unavailable("still deciding")).into_http()),
        Fault::Overloaded => Ok(Status::resource_exhausted("too much to do").into_http()),
    }
}

/// An OK answer with one gRPC frame.
fn answer(frame: &'static [u8]) -> http::Response<Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = Full::new(bytes::Bytes::from_static(frame)).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/grpc"));
    response
}

/// A request that can be sent more than once.
#[derive(Clone)]
struct Message {
    parts: http::request::Parts,
    body: bytes::Bytes,
}

impl Message {
    async fn read(request: http::Request<Body>) -> Result<Self, BoxError> {
        let (parts, body) = request.into_parts();
        Ok(Self { parts, body: body.collect().await?.to_bytes() })
    }

    async fn send(&self, inner: Participant) -> Result<http::Response<Body>, BoxError> {
        let body = Body::new(Full::new(self.body.clone()));
        inner.oneshot(http::Request::from_parts(self.parts.clone(), body)).await
    }

    #[expect(clippy::disallowed_methods, reason = "a message in the network outlives whoever sent it")]
    fn send_later(&self, inner: Participant, delay: Duration) {
        let message = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            drop(message.send(inner).await);
        });
    }
}
