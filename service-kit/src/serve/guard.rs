//! What every call passes on its way in and every answer on its way out: no more calls than memory allows, a panic that
//! ends its own call alone, and streams that end when the server does.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, StatusCode, header};
use http_body::{Frame, SizeHint};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};

use crate::refusal::{Refusal, SagaOutcome};

/// When a caller that was shed may try again.
const SHED_RETRY: Duration = Duration::from_secs(1);

/// Places for calls in progress.
#[derive(Debug, Clone)]
pub(super) struct Shed(Arc<Semaphore>);

impl Shed {
    pub(super) fn new(calls: usize) -> Self {
        Self(Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS))))
    }
}

/// Lets a call in if there is a place for it. One that is turned away has done nothing, and is told so.
pub(super) async fn shed(State(places): State<Shed>, request: Request, next: Next) -> Response {
    let Ok(_place) = places.0.try_acquire() else {
        let message = "too many calls are in progress; try again later";
        let refusal = Refusal::new(Code::ResourceExhausted, "OVERLOADED", message);
        let status = refusal.retry_after(SHED_RETRY).into_status("ticketing");
        return failed(is_grpc(request.headers()), SagaOutcome::NotApplied.mark(status));
    };
    next.run(request).await
}

/// Runs a call so that its panic is its own, and ends its stream once the server drains.
pub(super) async fn guard(State(draining): State<CancellationToken>, request: Request, next: Next) -> Response {
    let grpc = is_grpc(request.headers());
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(answer) => answer.map(|inner| {
            let draining = Some(Box::pin(draining.cancelled_owned()));
            Body::new(Ending { inner, draining, grpc })
        }),
        // The panic's text and place are in the log; a caller needs neither.
        Err(_panic) => failed(grpc, Status::internal("the service failed; its log tells more")),
    }
}

/// Whether a call speaks gRPC or gRPC-Web.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn failed(grpc: bool, status: Status) -> Response {
    if grpc {
        return status.into_http::<tonic::body::Body>().map(Body::new);
    }
    let code = if status.code() == Code::ResourceExhausted {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    };
    (code, format!("{}\n", status.message())).into_response()
}

/// A body that ends when the server drains, as soon as there is nothing to send at the moment. An answer that is there
/// is never cut.
struct Ending {
    inner: Body,
    draining: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    grpc: bool,
}

impl http_body::Body for Ending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(mut draining) = self.draining.take() else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if frame.is_ready() || draining.as_mut().poll(context).is_pending() {
            self.draining = Some(draining);
            return frame;
        }
        let status = Status::unavailable("the server is shutting down; ask another one or later");
        let mut trailers = HeaderMap::new();
        let told = self.grpc && status.add_header(&mut trailers).is_ok();
        Poll::Ready(told.then(|| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.draining.is_none() || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
