//! A way to a participant that runs in a process of its own, with faults on it: whoever calls the gateway calls the participant,
//! as long as nothing happens to the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::Body as Received;
use futures_util::stream;
use http::{HeaderValue, Request, Response, header};
use http_body_util::StreamBody;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::{Layer as _, ServiceExt as _};

use crate::faults::{BoxError, FaultLayer, Faulty};

/// Connections to the participant, which allows 128 calls on each.
const CONNECTIONS: usize = 4;

/// The gateway; closed when dropped.
#[derive(Debug)]
pub(super) struct Gateway {
    /// Where it listens.
    pub(super) address: String,
    _serving: JoinSet<()>,
}

impl Gateway {
    /// Opens one in front of what listens at `upstream`.
    pub(super) async fn start(upstream: &str, faults: FaultLayer) -> Result<Self> {
        let endpoint = Endpoint::from_shared(upstream.to_owned())?.tcp_nodelay(true);
        let ways: Arc<[_]> = (0..CONNECTIONS).map(|_| faults.layer(endpoint.connect_lazy())).collect();
        let next = Arc::new(AtomicUsize::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let routes = Router::new().fallback(move |request: Request<Received>| {
            let way = ways[next.fetch_add(1, Ordering::Relaxed) % ways.len()].clone();
            pass(way, request)
        });
        let server = Server::builder().tcp_nodelay(true).add_routes(Routes::from(routes));
        let mut serving = JoinSet::new();
        // It ends with the set that it is in.
        serving.spawn(async move { drop(server.serve_with_incoming(TcpListenerStream::new(listener)).await) });
        Ok(Self { address, _serving: serving })
    }
}

async fn pass(way: Faulty<Channel>, request: Request<Received>) -> Response<Body> {
    match way.oneshot(request.map(Body::new)).await {
        Ok(answer) => answer,
        Err(error) => broken(error),
    }
}

/// An answer that breaks off before it says anything, as where a connection is lost.
fn broken(error: BoxError) -> Response<Body> {
    let nothing = stream::iter([Err::<http_body::Frame<bytes::Bytes>, _>(error)]);
    let mut answer = Response::new(Body::new(StreamBody::new(nothing)));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    answer
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    use tonic_health::server::health_reporter;

    use super::*;
    use crate::faults::Faults;

    /// A participant that says that it is well, and a client at a gateway in front of it.
    async fn world() -> (Faults, HealthClient<Channel>, JoinSet<()>, Gateway) {
        let (_, health) = health_reporter();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let server = Server::builder().add_service(health);
            server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
        });
        let faults = Faults::new(1);
        let gateway = Gateway::start(&upstream, faults.layer("payment")).await.unwrap();
        let endpoint = Endpoint::from_shared(gateway.address.clone()).unwrap();
        let client = HealthClient::new(endpoint.connect_lazy());
        (faults, client, serving, gateway)
    }

    #[tokio::test]
    async fn calls_pass_until_something_happens_to_them() {
        let (faults, mut client, _serving, _gateway) = world().await;
        client.check(HealthCheckRequest::default()).await.unwrap();

        faults.switch("payment", |trouble| trouble.lose_reply = 1.0);
        let lost = client.check(HealthCheckRequest::default()).await.unwrap_err();
        assert!(matches!(lost.code(), Code::Unknown | Code::Internal), "{lost}");

        faults.heal();
        faults.switch("payment", |trouble| trouble.cut_off = true);
        assert_eq!(client.check(HealthCheckRequest::default()).await.unwrap_err().code(), Code::Unavailable);

        faults.heal();
        faults.switch("payment", |trouble| (trouble.delay, trouble.delayed) = (Duration::from_millis(20), 1.0));
        client.check(HealthCheckRequest::default()).await.unwrap();
        assert_eq!((faults.fired()["payment"].calls, faults.fired()["payment"].delayed), (4, 1));
    }
}
