//! The way from a replica to a participant, and back. What a network can do to a message, it does: each call's fate follows
//! from the saga, the method, and how often that was called before.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use orchestrator::participants::BoxError;
use service_kit::refusal::SagaOutcome;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::{Code, ConnectError, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::books::{Books, Message};
use crate::dice::{mix, number, word};
use crate::faults::{Fault, Kind};
use crate::gateway;
use crate::mutants::Mutant;
use crate::world::{World, pause};

const CALLS: &[Kind] = &[
    Kind::LostRequest,
    Kind::LostReply,
    Kind::Late,
    Kind::Twice,
    Kind::Again,
    Kind::Slow,
    Kind::Hang,
    Kind::NotSent,
    Kind::Overloaded,
    Kind::Pending,
    Kind::Garbage,
    Kind::Unclear,
    Kind::ServiceCrash,
];

/// Longest that a mutant waits for an answer: just less than the runner does.
const PATIENCE_MS: u64 = 950;

/// One replica's way to one participant.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) world: Arc<World>,
    pub(crate) books: Arc<Books>,
    pub(crate) replica: u64,
    pub(crate) service: &'static str,
}

impl tower::Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let way = self.clone();
        Box::pin(async move {
            let message = read(request).await?;
            if way.world.is(Mutant::TimeoutIsFailure) {
                let patience = std::time::Duration::from_millis(PATIENCE_MS);
                let answer = tokio::time::timeout(patience, way.carry(message)).await;
                return answer.ok().and_then(Result::ok).map_or_else(|| not_sent("no answer"), Ok);
            }
            way.carry(message).await
        })
    }
}

impl Way {
    async fn carry(self, message: Message) -> Result<Response<Body>, BoxError> {
        let saga = number(message.saga());
        let place = mix(&[word("call"), saga, word(&message.method)]);
        let fault = self.world.fault(place, CALLS);
        self.world.note(&[4, place, fault.map_or(0, |fault| fault.key)], || {
            let fate = fault.map_or_else(String::new, |fault| format!(": {fault}"));
            format!("{saga:x} replica {} calls {}{fate}", self.replica, message.method)
        });
        let message = gateway::rename(&self.world, message);
        pause(self.world.latency(place)).await;
        let answer = match fault {
            _ if self.books.is_away(self.service) => not_sent("nobody listens"),
            None => self.deliver(message.clone()).await,
            Some(fault) => self.suffer(fault, message.clone()).await,
        };
        gateway::mend(&self, message, answer).await
    }

    pub(crate) async fn deliver(&self, message: Message) -> Result<Response<Body>, BoxError> {
        let answer = self.books.serve(&message).await;
        // Between the effect and the answer the caller may stand still, or die.
        tokio::task::yield_now().await;
        Ok(match answer {
            Ok(reply) => ok(&reply),
            Err(status) => status.into_http(),
        })
    }

    async fn suffer(&self, fault: Fault, message: Message) -> Result<Response<Body>, BoxError> {
        let lost = || Err::<Response<Body>, BoxError>("the connection was cut".into());
        match fault.kind {
            Kind::LostRequest => lost(),
            Kind::LostReply => self.deliver(message).await.and_then(|_| lost()),
            Kind::Late => {
                self.deliver_later(message, fault.ms);
                // Whether the caller hears of it at once, or waits in vain.
                if fault.key.is_multiple_of(2) { lost() } else { std::future::pending().await }
            }
            Kind::Twice => {
                drop(self.deliver(message.clone()).await?);
                self.deliver(message).await
            }
            Kind::Again => {
                self.deliver_later(message.clone(), fault.ms);
                self.deliver(message).await
            }
            Kind::Slow => {
                pause(fault.ms / 2).await;
                let answer = self.deliver(message).await;
                pause(fault.ms / 2).await;
                answer
            }
            Kind::Hang => std::future::pending().await,
            Kind::NotSent => not_sent("not sent"),
            Kind::Overloaded => Ok(asking_for_time(Status::resource_exhausted("too much to do"), fault.ms)),
            Kind::Pending => {
                let status = asking_for_time_status(Status::unavailable("still deciding"), fault.ms);
                Ok(SagaOutcome::Pending.mark(status).into_http())
            }
            Kind::Garbage => self.deliver(message).await.map(|_| ok(&[0xff, 0xff, 0xff])),
            Kind::Unclear => {
                let code = [Code::Unknown, Code::Cancelled, Code::Internal, Code::NotFound];
                let code = code[(fault.key % 4) as usize];
                self.deliver(message).await.map(|_| Status::new(code, "unclear").into_http())
            }
            Kind::ServiceCrash => {
                let answer = self.deliver(message).await;
                self.books.away(self.service, fault.ms);
                answer.and_then(|_| lost())
            }
            _ => self.deliver(message).await,
        }
    }

    fn deliver_later(&self, message: Message, ms: u32) {
        let way = self.clone();
        self.world.later(ms, async move {
            way.world.note(&[5, number(message.saga())], || {
                format!("{:x} {} arrives late", number(message.saga()), message.method)
            });
            drop(way.deliver(message).await);
        });
    }
}

async fn read(request: Request<Body>) -> Result<Message, BoxError> {
    let (parts, body) = request.into_parts();
    let frame = body.collect().await?.to_bytes();
    let method = parts.uri.path().rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Message { method, metadata: MetadataMap::from_headers(parts.headers), body: frame.slice(5.min(frame.len())..) })
}

/// An OK answer with one gRPC frame.
pub(crate) fn ok(reply: &[u8]) -> Response<Body> {
    let mut frame = BytesMut::with_capacity(reply.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(reply.len()).unwrap_or_default());
    frame.put_slice(reply);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::<Bytes>::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

/// As a peer says that a request found no connection.
fn not_sent(why: &str) -> Result<Response<Body>, BoxError> {
    Err(Box::new(ConnectError(why.into())))
}

fn asking_for_time(status: Status, ms: u32) -> Response<Body> {
    asking_for_time_status(status, ms).into_http()
}

fn asking_for_time_status(status: Status, ms: u32) -> Status {
    let details = ErrorDetails::with_retry_info(Some(std::time::Duration::from_millis(ms.into())));
    Status::with_error_details(status.code(), status.message(), details)
}
