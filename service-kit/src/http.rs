//! A client of plain HTTP services outside: one base address, requests and replies as bytes. It keeps connections open and
//! tells what never left this process from what may have arrived.
//!
//! What a status means is the caller's affair, and so is whether to try again.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// The largest reply that is read; what is longer is no reply of a service that we speak to.
const MAX_REPLY_BYTES: usize = 1 << 20;

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request did not leave: it cannot have had any effect.
    #[error("cannot reach {0}: {1}")]
    Unreachable(String, String),
    /// The request may have arrived.
    #[error("no reply from {0}: {1}")]
    InDoubt(String, String),
}

/// A request, relative to the client's address.
#[derive(Debug, Clone)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Path and query, from `/` on.
    pub path: String,
    /// Headers beside those of HTTP itself.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Empty where there is none.
    pub body: Bytes,
}

impl Request {
    /// Asks for something.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// Sends JSON.
    pub fn post_json(path: impl Into<String>, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("what we send always serializes");
        let kind = (http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { method: Method::POST, path: path.into(), headers: vec![kind], body: body.into() }
    }
}

/// A reply, of whatever status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// As sent.
    pub status: StatusCode,
    /// As sent.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Bytes,
}

/// A client of one service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl Client {
    /// A client of `http://host:port`, with or without a path that all requests start with. Nobody needs to listen there
    /// yet.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn new(base: &str) -> Result<Self, String> {
        let uri: Uri = base.parse().map_err(|error| format!("\"{base}\" is no address: {error}"))?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() || uri.query().is_some() {
            return Err(format!("\"{base}\" must look like http://host:port/path"));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let inner = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { base: base.trim_end_matches('/').to_owned(), inner })
    }

    /// Where it sends to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request and reads the whole reply, in no more than `timeout`.
    ///
    /// # Errors
    /// When there is no whole reply.
    pub async fn send(&self, request: Request, timeout: Duration) -> Result<Reply, Error> {
        let in_doubt = |problem: String| Error::InDoubt(self.base.clone(), problem);
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(reply) => reply,
            Err(_) => Err(in_doubt(format!("it took longer than {} ms", timeout.as_millis()))),
        }
    }

    async fn exchange(&self, request: Request) -> Result<Reply, Error> {
        let in_doubt = |problem: String| Error::InDoubt(self.base.clone(), problem);
        let unreachable = |problem: String| Error::Unreachable(self.base.clone(), problem);
        let mut built = http::Request::new(Full::new(request.body));
        let uri = format!("{}{}", self.base, request.path);
        *built.uri_mut() = uri.parse().map_err(|error| unreachable(format!("{uri} is no address: {error}")))?;
        *built.method_mut() = request.method;
        built.headers_mut().extend(request.headers);
        let reply = match self.inner.request(built).await {
            Ok(reply) => reply,
            Err(error) if error.is_connect() => return Err(unreachable(chain(&error))),
            Err(error) => return Err(in_doubt(chain(&error))),
        };
        let (head, body) = reply.into_parts();
        let body = Limited::new(body, MAX_REPLY_BYTES).collect().await;
        let body = body.map_err(|error| in_doubt(chain(error.as_ref())))?.to_bytes();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }
}

/// An error with all that lies behind it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
