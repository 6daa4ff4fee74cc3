//! A way to a service: over a network, or straight to a server in this process. There is no socket then, but the encoding
//! is the same.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt as _};

use super::BoxError;

/// A client of one service; generated clients can be built over it.
#[derive(Debug, Clone)]
pub struct Client(BoxCloneSyncService<Request<Body>, Response<Body>, BoxError>);

impl Client {
    /// A client of any HTTP service: a [`Peer`](super::Peer), the `Routes` of a service in this process, or either of
    /// them behind a layer that delays, drops or repeats calls.
    pub fn new<S, E>(service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send,
        E: Into<BoxError> + 'static,
    {
        Self(BoxCloneSyncService::new(service.map_err(Into::into)))
    }
}

impl Service<Request<Body>> for Client {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            // Calls within a process may never wait for the runtime; without this a loop of them starves everybody.
            tokio::task::coop::consume_budget().await;
            answer.await
        })
    }
}
