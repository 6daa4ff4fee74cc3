//! The service in front of a participant that lets its calls meet their fate.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service, ServiceExt as _};

use super::{Fate, Faults};

/// Whatever can go wrong below.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Puts faults in front of one participant.
#[derive(Debug, Clone)]
pub struct FaultLayer {
    pub(super) faults: Faults,
    pub(super) participant: &'static str,
}

impl<S> Layer<S> for FaultLayer {
    type Service = Faulty<S>;

    fn layer(&self, inner: S) -> Faulty<S> {
        Faulty { layer: self.clone(), inner }
    }
}

/// A participant with faults in front.
#[derive(Debug, Clone)]
pub struct Faulty<S> {
    layer: FaultLayer,
    inner: S,
}

impl<S> Service<Request<Body>> for Faulty<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Each call waits for a participant of its own, since it may need two.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let fate = self.layer.faults.next(self.layer.participant);
        Box::pin(meet(fate, request, self.inner.clone()))
    }
}

async fn meet<S>(fate: Fate, request: Request<Body>, inner: S) -> Result<Response<Body>, BoxError>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    if !fate.arrives {
        return Ok(Status::unavailable("the participant is cut off").into_http());
    }
    if let Some(later) = fate.strays {
        stray(later, request, inner).await;
        return Err("the connection was lost, and the call goes astray".into());
    }
    if !fate.delay.is_zero() {
        tokio::time::sleep(fate.delay).await;
    }
    let answer = if fate.twice { send_twice(request, inner).await } else { send(request, inner).await };
    // The participant has done its work by the time it answers, so here the effect stands and only the answer goes.
    if fate.answered { answer } else { Err("the connection was lost before the answer".into()) }
}

/// Lets a call arrive after its caller has gone on; nobody hears the answer.
#[expect(clippy::disallowed_methods, reason = "nobody waits for it, and nothing is lost when it ends with the program")]
async fn stray<S>(later: Duration, request: Request<Body>, inner: S)
where
    S: Service<Request<Body>, Response = Response<Body>> + Send + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    // The whole of it now: what has not come in by then goes with the caller.
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return };
    let body = body.to_bytes();
    tokio::spawn(async move {
        tokio::time::sleep(later).await;
        // What comes of it is the participant's affair.
        drop(send(copy(&parts, &body), inner).await);
    });
}

async fn send<S>(request: Request<Body>, inner: S) -> Result<Response<Body>, BoxError>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Error: Into<BoxError>,
{
    inner.oneshot(request).await.map_err(Into::into)
}

/// The answer of the second one counts.
async fn send_twice<S>(request: Request<Body>, inner: S) -> Result<Response<Body>, BoxError>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone,
    S::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    drop(send(copy(&parts, &body), inner.clone()).await);
    send(copy(&parts, &body), inner).await
}

fn copy(parts: &Parts, body: &Bytes) -> Request<Body> {
    Request::from_parts(parts.clone(), Body::new(Full::new(body.clone())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::{Fired, Trouble};
    use super::*;

    /// A participant that counts what arrives and answers with what it was sent.
    #[derive(Clone, Default)]
    struct Echo(Arc<AtomicU64>);

    impl Service<Request<Body>> for Echo {
        type Response = Response<Body>;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Response<Body>, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Body>) -> Self::Future {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok(Response::new(request.into_body())))
        }
    }

    struct World {
        faults: Faults,
        echo: Echo,
    }

    impl World {
        fn with(change: impl FnOnce(&mut Trouble)) -> Self {
            let world = Self { faults: Faults::new(1), echo: Echo::default() };
            world.faults.switch("payment", change);
            world
        }

        async fn call(&self) -> Result<Response<Body>, BoxError> {
            let request = Request::new(Body::new(Full::new(Bytes::from_static(b"pay"))));
            self.faults.layer("payment").layer(self.echo.clone()).oneshot(request).await
        }

        fn arrived(&self) -> u64 {
            self.echo.0.load(Ordering::SeqCst)
        }

        fn fired(&self) -> Fired {
            self.faults.fired()["payment"]
        }
    }

    #[tokio::test]
    async fn without_trouble_a_call_passes_as_it_is() {
        let world = World::with(|_| ());
        let answer = world.call().await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), "pay");
        assert_eq!((world.arrived(), world.fired()), (1, Fired { calls: 1, ..Fired::default() }));
    }

    #[tokio::test]
    async fn what_is_cut_off_never_arrives_and_is_unavailable_until_it_is_healed() {
        let world = World::with(|trouble| trouble.cut_off = true);
        let answer = world.call().await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert_eq!((world.arrived(), world.fired().cut_off), (0, 1));

        world.faults.heal();
        assert!(world.call().await.is_ok());
        assert_eq!((world.arrived(), world.fired().cut_off), (1, 1));
    }

    #[tokio::test]
    async fn a_lost_reply_is_lost_after_the_effect_and_nobody_knows() {
        let world = World::with(|trouble| trouble.lose_reply = 1.0);
        let error = world.call().await.unwrap_err();
        assert_eq!(Status::from_error(error).code(), tonic::Code::Unknown);
        assert_eq!((world.arrived(), world.fired().replies_lost), (1, 1));
    }

    #[tokio::test]
    async fn a_duplicate_arrives_twice_with_the_whole_message() {
        let world = World::with(|trouble| trouble.duplicate = 1.0);
        let answer = world.call().await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(answer.to_bytes(), "pay");
        assert_eq!((world.arrived(), world.fired().duplicated), (2, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delayed_call_arrives_late() {
        let world = World::with(|trouble| (trouble.delay, trouble.delayed) = (Duration::from_secs(2), 1.0));
        let early = tokio::time::timeout(Duration::from_millis(1_999), world.call()).await;
        assert!(early.is_err());
        assert_eq!(world.arrived(), 0);
        assert!(tokio::time::timeout(Duration::from_millis(2_001), world.call()).await.is_ok());
        assert_eq!((world.arrived(), world.fired().delayed), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stray_call_arrives_after_its_caller_was_told_that_it_is_lost() {
        let world = World::with(|trouble| (trouble.stray, trouble.stray_for) = (1.0, Duration::from_secs(5)));
        assert!(world.call().await.is_err());
        tokio::time::sleep(Duration::from_millis(4_900)).await;
        assert_eq!((world.arrived(), world.fired().strayed), (0, 1));
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(world.arrived(), 1);
    }

    #[tokio::test]
    async fn chance_strikes_as_often_as_it_should_and_alike_for_a_seed() {
        let world = World::with(|trouble| trouble.lose_reply = 0.03);
        let again = World::with(|trouble| trouble.lose_reply = 0.03);
        for _ in 0..10_000 {
            assert_eq!(world.call().await.is_ok(), again.call().await.is_ok());
        }
        let lost = world.fired().replies_lost;
        assert!((230..370).contains(&lost), "{lost}");
    }
}
