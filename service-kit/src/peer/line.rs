//! One connection to one address, and whoever keeps it: opens it, learns whether the peer answers on it, notices its end
//! and opens the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, watch};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::BoxError;
use super::address::{Address, Connections};
use super::connect::Connect;
use crate::clock::Stopwatch;

/// How soon a connection that could not be opened is tried again; twice as long after each further time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// At most so long: a peer that is back is found within it.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A connection that lived shorter has failed, whoever closed it.
const SHORT_LIFE_MS: i64 = 1_000;

const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("skald/", env!("CARGO_PKG_VERSION")));

/// What a line is at the moment.
#[derive(Debug, Clone)]
pub(super) enum Line {
    /// About to be opened for the first time, or again after a good connection has ended.
    Opening,
    /// The peer has answered on it.
    Open(Connection),
    /// It could not be opened.
    Down(Arc<str>),
}

impl Line {
    pub(super) fn open(&self) -> Option<&Connection> {
        match self {
            Self::Open(connection) if !connection.requests.is_closed() => Some(connection),
            Self::Open(_) | Self::Opening | Self::Down(_) => None,
        }
    }
}

/// Which line it is.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: &'static str,
    /// Its place among all lines of its peer.
    pub(super) number: usize,
    /// How many addresses the peer has; lines take them in turn.
    pub(super) addresses: usize,
    pub(super) address: Address,
    pub(super) connections: Connections,
}

/// What became of a request.
pub(super) enum Sent {
    Answered(Response<Incoming>),
    /// The connection ended before it left.
    Unsent(Box<Request<Body>>),
    /// The peer did not look at it.
    Refused(BoxError),
    /// Nobody knows.
    InDoubt(BoxError),
}

/// An open connection; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    requests: http2::SendRequest<Body>,
    authority: Authority,
    calls: Arc<AtomicUsize>,
}

/// A call under way.
struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection {
    /// Calls under way on it.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) async fn send(mut self, mut request: Request<Body>) -> Sent {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let _busy = Busy(self.calls);
        let mut place = std::mem::take(request.uri_mut()).into_parts();
        (place.scheme, place.authority) = (Some(Scheme::HTTP), Some(self.authority));
        match Uri::from_parts(place) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return Sent::Refused(error.into()),
        }
        request.headers_mut().insert(header::USER_AGENT, USER_AGENT);
        match self.requests.try_send_request(request).await {
            Ok(response) => Sent::Answered(response),
            Err(mut failed) => match failed.take_message() {
                Some(request) => Sent::Unsent(Box::new(request)),
                None if was_refused(failed.error()) => Sent::Refused(failed.into_error().into()),
                None => Sent::InDoubt(failed.into_error().into()),
            },
        }
    }
}

/// Whether the peer reset the stream with the one code that promises that it was not processed.
fn was_refused(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| error.is_remote() && error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

/// For the first call on a connection, which is nobody's.
impl tower::Service<Request<Body>> for Connection {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let sent = self.clone().send(request);
        Box::pin(sent.map(|sent| match sent {
            Sent::Answered(response) => Ok(response.map(Body::new)),
            Sent::Unsent(_) => Err("the connection was closed".into()),
            Sent::Refused(error) | Sent::InDoubt(error) => Err(error),
        }))
    }
}

type Ending<S> = http2::Connection<TokioIo<S>, Body, TokioExecutor>;

/// What all lines of a peer are, and word of every change.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) lines: watch::Sender<Vec<Line>>,
    pub(super) changed: broadcast::Sender<()>,
}

/// Keeps a line until nobody needs its peer any more.
pub(super) async fn keep(place: Place, network: impl Connect, shown: Shown) {
    let life = async {
        let (mut pause, mut attempt) = (FIRST_PAUSE, place.number);
        loop {
            match open(&place, &network, attempt).await {
                Ok((connection, ending)) => {
                    let lived = Stopwatch::start();
                    show(&shown, &place, Line::Open(connection));
                    let ended = ending.await;
                    tracing::debug!(peer = place.name, address = %place.address, ?ended, "a connection has ended");
                    if lived.elapsed_ms() >= SHORT_LIFE_MS {
                        pause = FIRST_PAUSE;
                        show(&shown, &place, Line::Opening);
                        continue;
                    }
                    show(&shown, &place, Line::Down("it closes connections".into()));
                }
                Err(error) => show(&shown, &place, Line::Down(error.to_string().into())),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt = attempt.wrapping_add(1);
        }
    };
    // In one order, so that a simulation can be repeated.
    tokio::select! {
        biased;
        () = life => {}
        () = shown.lines.closed() => {}
    }
}

/// Puts up what a line is now; the log hears of an address once, and not of each of its lines.
fn show(shown: &Shown, place: &Place, now: Line) {
    shown.lines.send_modify(|lines| {
        let before = std::mem::replace(&mut lines[place.number], now);
        let of_address = || lines.iter().skip(place.number % place.addresses).step_by(place.addresses);
        let (peer, address) = (place.name, &place.address);
        match (before, &lines[place.number]) {
            (Line::Opening | Line::Open(_), Line::Down(problem)) => {
                if of_address().filter(|line| matches!(line, Line::Down(_))).count() == 1 {
                    tracing::warn!(peer, %address, %problem, "no connection; it is tried again and again");
                }
            }
            (Line::Down(_), Line::Open(_)) => {
                if of_address().filter(|line| matches!(line, Line::Open(_))).count() == 1 {
                    tracing::info!(peer, %address, "connected");
                }
            }
            (Line::Down(_) | Line::Opening | Line::Open(_), _) => {}
        }
    });
    // Nobody may wait.
    drop(shown.changed.send(()));
}

/// Opens a connection and has the peer answer on it, within the time that it may take.
async fn open(
    place: &Place,
    network: &impl Connect,
    attempt: usize,
) -> Result<(Connection, BoxFuture<'static, hyper::Result<()>>), BoxError> {
    let limit_ms = place.connections.connect_timeout_ms;
    let opening = async {
        let stream = network.connect(&place.address.host, place.address.port, attempt).await?;
        let (connection, ending) = handshake(place, stream).await?;
        let mut ending = ending.boxed();
        tokio::select! {
            biased;
            answered = greet(connection.clone()) => answered.map(|()| (connection, ending)),
            ended = &mut ending => Err(ended.err().map_or_else(|| "it closed the connection".into(), BoxError::from)),
        }
    };
    let opened = tokio::time::timeout(Duration::from_millis(limit_ms), opening).await;
    opened.unwrap_or_else(|_| Err(format!("no answer within {limit_ms} ms").into()))
}

/// TLS would come in here.
async fn handshake<S>(place: &Place, stream: S) -> hyper::Result<(Connection, Ending<S>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Connections { keepalive_interval_ms, keepalive_timeout_ms, .. } = place.connections;
    let (requests, ending) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(keepalive_interval_ms))
        .keep_alive_timeout(Duration::from_millis(keepalive_timeout_ms))
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await?;
    Ok((Connection { requests, authority: place.address.authority.clone(), calls: Arc::default() }, ending))
}

/// Asks the peer whether it wants calls. Whatever it answers, it lives; only a no keeps calls away.
async fn greet(connection: Connection) -> Result<(), BoxError> {
    match HealthClient::new(connection).check(HealthCheckRequest::default()).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::NotServing => Err("it does not want calls".into()),
        Ok(_) => Ok(()),
        Err(status) if is_own_answer(&status) => Ok(()),
        Err(status) => Err(status.message().into()),
    }
}

/// Codes that only a server gives, and no broken connection.
fn is_own_answer(status: &Status) -> bool {
    matches!(status.code(), Code::Unimplemented | Code::NotFound | Code::Unauthenticated | Code::PermissionDenied)
}
