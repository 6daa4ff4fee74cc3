//! The way to the server: a few connections, and a client of each service over the next of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

/// Connections: each carries at most [`CALLS_PER_CONNECTION`] at once.
const CONNECTIONS: usize = 8;
/// Calls in flight on one connection. A server allows 128, and what is above its limit would wait within this process,
/// unseen.
const CALLS_PER_CONNECTION: usize = 100;
/// Calls in flight on all connections.
pub(crate) const CALLS: usize = CONNECTIONS * CALLS_PER_CONNECTION;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections to one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    pool: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
    // A server closes a connection whose streams are reset too often; that must not hit those who behave.
    quitters: Channel,
}

impl Client {
    /// Connects to an address like `http://127.0.0.1:7070`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(target: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(target.to_owned()).with_context(|| format!("{target} is no address"))?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
        let quitters = endpoint.connect().await.with_context(|| format!("nobody answers at {target}"))?;
        let pool = (0..CONNECTIONS).map(|_| endpoint.connect_lazy()).collect();
        Ok(Self { pool, next: Arc::default(), quitters })
    }

    fn channel(&self) -> Channel {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.pool[turn % self.pool.len()].clone()
    }

    pub(crate) fn checkouts(&self) -> CheckoutServiceClient<Channel> {
        CheckoutServiceClient::new(self.channel())
    }

    /// For calls that will be dropped.
    pub(crate) fn dropped_checkouts(&self) -> CheckoutServiceClient<Channel> {
        CheckoutServiceClient::new(self.quitters.clone())
    }

    pub(crate) fn sagas(&self) -> SagaServiceClient<Channel> {
        SagaServiceClient::new(self.channel())
    }

    pub(crate) fn customers(&self) -> CustomerServiceClient<Channel> {
        CustomerServiceClient::new(self.channel())
    }

    pub(crate) fn points(&self) -> PointServiceClient<Channel> {
        PointServiceClient::new(self.channel())
    }

    pub(crate) fn concerts(&self) -> ConcertServiceClient<Channel> {
        ConcertServiceClient::new(self.channel())
    }

    pub(crate) fn reservations(&self) -> ReservationServiceClient<Channel> {
        ReservationServiceClient::new(self.channel())
    }

    pub(crate) fn rooms(&self) -> WaitingRoomServiceClient<Channel> {
        WaitingRoomServiceClient::new(self.channel())
    }

    pub(crate) fn tokens(&self) -> QueueTokenServiceClient<Channel> {
        QueueTokenServiceClient::new(self.channel())
    }
}

/// The error of a call that had to succeed: what was wanted, and why it was not had.
pub(crate) fn failed(wanted: &'static str) -> impl FnOnce(Status) -> anyhow::Error {
    move |status| {
        let fields = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
        let fields: String = fields.iter().map(|field| format!("; {}: {}", field.field, field.description)).collect();
        anyhow!("cannot {wanted}: {}: {}{fields}", reason(&status), status.message())
    }
}

/// Why a call failed: the service's own reason, or else the code.
pub(crate) fn reason(status: &Status) -> String {
    match status.get_details_error_info() {
        Some(info) if !info.reason.is_empty() => info.reason,
        _ => format!("{:?}", status.code()),
    }
}
