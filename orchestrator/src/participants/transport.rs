//! How bytes get to a participant: the same client over connections to another process or wrapped round a server in this
//! one.

use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::future::BoxFuture;
use http::uri::PathAndQuery;
use service_kit::peer::Client;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};
use tower::Service;

pub use service_kit::peer::BoxError;

/// A client of one service; generated clients can be built over it.
#[derive(Debug, Clone)]
pub struct Participant(Client);

impl Participant {
    /// A participant behind any HTTP service, as [`Client::new`] takes them.
    pub fn new<S, E>(service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = E> + Clone + Send + Sync + 'static,
        S::Future: Send,
        E: Into<BoxError> + 'static,
    {
        Self(Client::new(service))
    }

    /// One call, bytes in and bytes out.
    pub(super) async fn unary(self, path: PathAndQuery, request: Request<Bytes>) -> Result<Bytes, Status> {
        let mut client = tonic::client::Grpc::new(self.0);
        client.ready().await.map_err(Status::from_error)?;
        client.unary(request, path, BytesCodec).await.map(tonic::Response::into_inner)
    }
}

impl Service<http::Request<Body>> for Participant {
    type Response = http::Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

/// Passes messages through as the bytes that they are.
#[derive(Debug, Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
