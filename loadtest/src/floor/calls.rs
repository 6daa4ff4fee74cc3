//! Unary gRPC calls that do nothing: over a socket, one at a time and many, and without one.

use anyhow::Result;
use futures_util::future::try_join_all;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Bytes, StdError};
use tonic::transport::{Endpoint, Server};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::server::health_reporter;

use super::{BATCH, Floor, LASTS};

pub(super) async fn floors() -> Result<Vec<Floor>> {
    let (_, health) = health_reporter();
    let mut floors = vec![calls(&HealthClient::new(health.clone()), "gRPC call in the process", 1).await?];
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?.tcp_nodelay(true);
    let serving = Server::builder().tcp_nodelay(true).add_service(health);
    let serving = serving.serve_with_incoming(TcpListenerStream::new(listener));
    let over_tcp = async {
        let client = HealthClient::new(endpoint.connect().await?);
        let one = calls(&client, "gRPC call over TCP, one at a time", 1).await?;
        anyhow::Ok([one, calls(&client, "gRPC calls over TCP, 64 at a time", BATCH).await?])
    };
    tokio::select! {
        measured = over_tcp => floors.extend(measured?),
        ended = serving => ended?,
    }
    Ok(floors)
}

async fn calls<T>(client: &HealthClient<T>, what: &'static str, at_once: usize) -> Result<Floor>
where
    T: GrpcService<Body> + Clone,
    T::Error: Into<StdError>,
    T::ResponseBody: tonic::transport::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as tonic::transport::Body>::Error: Into<StdError> + Send,
{
    let started = Instant::now();
    let callers = (0..at_once).map(|_| async {
        let (mut client, mut count) = (client.clone(), 0);
        while started.elapsed() < LASTS {
            client.check(HealthCheckRequest::default()).await?;
            count += 1;
        }
        Ok::<_, Status>(count)
    });
    let count = try_join_all(callers).await?.into_iter().sum();
    Ok(Floor::of(what, count, at_once, started))
}
