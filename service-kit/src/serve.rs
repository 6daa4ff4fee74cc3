//! The one server of a process: gRPC, gRPC-Web and pages on one port, with health, reflection and limits. Services hand
//! in their routes; connections come from a listener that the caller bound, so that he knows its address.
//!
//! TLS and callers' identities would come in at [`Server::serve`], where the transport is built. Until then: loopback.

use std::io;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use futures_util::Stream;
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::server::{Connected, TcpIncoming};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

mod guard;
mod limits;

use guard::{Shed, is_grpc};
pub use limits::{Limits, MAX_MESSAGE_BYTES};

/// What a server serves.
#[derive(Debug)]
pub struct Served {
    /// The services.
    pub grpc: Routes,
    /// Their full names, for health and reflection.
    pub services: Vec<&'static str>,
    /// Pages beside them.
    pub http: Option<axum::Router>,
    /// An encoded `FileDescriptorSet` of the services; without it there is no reflection.
    pub descriptors: Option<&'static [u8]>,
}

/// Why a server could not be built or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The descriptor set does not describe the services.
    #[error("the descriptor set cannot be served: {0}")]
    Descriptors(#[from] tonic_reflection::server::Error),
    /// Connections could not be served.
    #[error("the server failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Says whether the server wants calls (`grpc.health.v1`); cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    reporter: HealthReporter,
    services: Vec<&'static str>,
}

impl Health {
    async fn new(services: Vec<&'static str>) -> Self {
        let health = Self { reporter: HealthReporter::new(), services };
        health.set(true).await;
        health
    }

    /// Sets the state of the process and of each of its services, and tells those who watch it.
    pub async fn set(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in self.services.iter().copied().chain([""]) {
            self.reporter.set_service_status(service, status).await;
        }
    }
}

/// A server that is ready to take connections.
#[derive(Debug)]
pub struct Server {
    app: axum::Router,
    limits: Limits,
    health: Health,
    // Ends streams; fires once nothing new is taken in.
    draining: CancellationToken,
}

impl Server {
    /// Puts together everything that answers on the port.
    ///
    /// # Errors
    /// When the descriptor set is broken.
    pub async fn new(served: Served, limits: Limits) -> Result<Self, Error> {
        let draining = CancellationToken::new();
        let health = Health::new(served.services).await;
        let shed = axum::middleware::from_fn_with_state(Shed::new(limits.calls), guard::shed);
        let guard = axum::middleware::from_fn_with_state(draining.clone(), guard::guard);
        let own = own_routes(&health, served.descriptors)?.into_axum_router();
        let grpc = served
            .grpc
            .into_axum_router()
            .reset_fallback()
            .layer(shed.clone())
            .merge(own.reset_fallback())
            .layer(guard.clone())
            .layer(tonic_web::GrpcWebLayer::new());
        let pages = served.http.unwrap_or_default().layer(shed).layer(guard);
        let app = grpc.merge(pages).fallback(nothing_there);
        Ok(Self { app, limits, health, draining })
    }

    /// The handle that says whether this server wants calls.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves until `stop`; then takes nothing new, ends streams, and lets calls end within [`Limits::drain_ms`].
    ///
    /// # Errors
    /// When connections cannot be served.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> Result<(), Error> {
        self.serve_streams(TcpIncoming::from(listener).with_nodelay(Some(true)), stop).await
    }

    /// The same for connections of another network.
    ///
    /// # Errors
    /// As [`Server::serve`].
    pub async fn serve_streams<S>(
        self,
        incoming: impl Stream<Item = io::Result<S>>,
        stop: CancellationToken,
    ) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let Self { app, limits, health, draining } = self;
        let stopped = stop.clone();
        let drain = async move {
            stopped.cancelled().await;
            health.set(false).await;
            draining.cancel();
        };
        let serving =
            limits.transport().add_routes(Routes::from(app).prepare()).serve_with_incoming_shutdown(incoming, drain);
        let too_long = async {
            stop.cancelled().await;
            tokio::time::sleep(Duration::from_millis(limits.drain_ms)).await;
        };
        tokio::select! {
            served = serving => Ok(served?),
            () = too_long => {
                tracing::warn!(drain_ms = limits.drain_ms, "some calls did not end in time; leaving without them");
                Ok(())
            }
        }
    }
}

/// Health, and reflection where it is wanted.
fn own_routes(health: &Health, descriptors: Option<&'static [u8]>) -> Result<Routes, Error> {
    let service = HealthService::from_health_reporter(health.reporter.clone());
    let routes = Routes::new(HealthServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES));
    let Some(descriptors) = descriptors else {
        return Ok(routes);
    };
    let own = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        own.iter().chain(&health.services).fold(builder, |builder, name| builder.with_service_name(*name))
    };
    // Old clients still ask the alpha version.
    let v1 = reflection().build_v1()?;
    let v1alpha = reflection().build_v1alpha()?;
    Ok(routes
        .add_service(v1.max_decoding_message_size(MAX_MESSAGE_BYTES))
        .add_service(v1alpha.max_decoding_message_size(MAX_MESSAGE_BYTES)))
}

async fn nothing_there(request: Request) -> Response {
    let path = request.uri().path();
    if is_grpc(request.headers()) {
        let status = Status::unimplemented(format!("{path} is not served here"));
        return status.into_http::<Body>().map(axum::body::Body::new);
    }
    (StatusCode::NOT_FOUND, format!("nothing at {path}\n")).into_response()
}

/// Listens for SIGINT and SIGTERM from now on, which end the process no longer; what it returns ends with the first one.
///
/// # Errors
/// When the process may not listen for signals.
pub fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl-C cannot be heard");
            std::future::pending::<()>().await;
        }
    })
}
