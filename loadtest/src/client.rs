//! The way to the server, or to the servers of each service: a few connections, and a client over the next of them.

use std::collections::BTreeMap;
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
use proto::payment::v1::delivery_service_client::DeliveryServiceClient;
use proto::payment::v1::payment_service_client::PaymentServiceClient;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_types::StatusExt as _;

mod line;

pub use line::Line;
use line::Meter;

use crate::tally::Times;

/// Connections: each carries at most [`CALLS_PER_CONNECTION`] at once.
const CONNECTIONS: usize = 8;
/// Calls in flight on one connection. A server allows 128, and what is above its limit would wait within this process,
/// unseen.
const CALLS_PER_CONNECTION: usize = 100;
/// Calls in flight on all connections.
pub(crate) const CALLS: usize = CONNECTIONS * CALLS_PER_CONNECTION;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Connections to a Skald, in one process or several. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    everything: Pool,
    /// Services that have addresses of their own.
    apart: Arc<BTreeMap<String, Pool>>,
    // A server closes a connection whose streams are reset too often; that must not hit those who behave.
    quitters: Channel,
    meter: Meter,
}

/// Connections, to be used in turn.
#[derive(Debug, Clone)]
struct Pool {
    channels: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
}

impl Pool {
    fn new(addresses: &[Endpoint]) -> Self {
        let channels = (0..CONNECTIONS).zip(addresses.iter().cycle());
        Self { channels: channels.map(|(_, address)| address.connect_lazy()).collect(), next: Arc::default() }
    }

    fn channel(&self) -> Channel {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }
}

/// The addresses in a target, by service; those without a name serve all that have none of their own.
fn addresses(target: &str) -> Result<BTreeMap<String, Vec<Endpoint>>> {
    let mut addresses = BTreeMap::<_, Vec<_>>::new();
    for part in target.split(',') {
        let (service, address) = part.split_once('=').unwrap_or(("", part));
        let endpoint = Endpoint::from_shared(address.to_owned()).with_context(|| format!("{address} is no address"))?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
        addresses.entry(service.to_owned()).or_default().push(endpoint);
    }
    Ok(addresses)
}

impl Client {
    /// Connects to an address like `http://127.0.0.1:7070`, or to several as `loadtest --target` takes them.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn connect(target: &str) -> Result<Self> {
        let addresses = addresses(target)?;
        let unnamed = addresses.get("").with_context(|| format!("{target} has no address of the orchestrator"))?;
        for endpoint in addresses.values().flatten() {
            let nobody = || format!("nobody answers at {}", endpoint.uri());
            endpoint.connect().await.with_context(nobody)?;
        }
        let apart = addresses.iter().map(|(service, addresses)| (service.clone(), Pool::new(addresses)));
        Ok(Self {
            everything: Pool::new(unnamed),
            apart: Arc::new(apart.collect()),
            quitters: unnamed[0].connect_lazy(),
            meter: Meter::default(),
        })
    }

    /// What calls took since this was asked last, by name.
    pub(crate) fn calls(&self) -> BTreeMap<String, Times> {
        self.meter.take()
    }

    fn line(&self, service: &str) -> Line {
        let channel = self.apart.get(service).unwrap_or(&self.everything).channel();
        Line { channel, meter: self.meter.clone() }
    }

    pub(crate) fn checkouts(&self) -> CheckoutServiceClient<Line> {
        CheckoutServiceClient::new(self.line("orchestrator"))
    }

    /// For calls that will be dropped.
    pub(crate) fn dropped_checkouts(&self) -> CheckoutServiceClient<Line> {
        CheckoutServiceClient::new(Line { channel: self.quitters.clone(), meter: self.meter.clone() })
    }

    pub(crate) fn sagas(&self) -> SagaServiceClient<Line> {
        SagaServiceClient::new(self.line("orchestrator"))
    }

    pub(crate) fn customers(&self) -> CustomerServiceClient<Line> {
        CustomerServiceClient::new(self.line("customer"))
    }

    pub(crate) fn points(&self) -> PointServiceClient<Line> {
        PointServiceClient::new(self.line("customer"))
    }

    pub(crate) fn concerts(&self) -> ConcertServiceClient<Line> {
        ConcertServiceClient::new(self.line("concert"))
    }

    pub(crate) fn reservations(&self) -> ReservationServiceClient<Line> {
        ReservationServiceClient::new(self.line("concert"))
    }

    pub(crate) fn payments(&self) -> PaymentServiceClient<Line> {
        PaymentServiceClient::new(self.line("payment"))
    }

    pub(crate) fn deliveries(&self) -> DeliveryServiceClient<Line> {
        DeliveryServiceClient::new(self.line("payment"))
    }

    pub(crate) fn rooms(&self) -> WaitingRoomServiceClient<Line> {
        WaitingRoomServiceClient::new(self.line("token"))
    }

    pub(crate) fn tokens(&self) -> QueueTokenServiceClient<Line> {
        QueueTokenServiceClient::new(self.line("token"))
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

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn a_target_names_services_that_are_elsewhere() {
        let target = "http://a:1,http://b:2,customer=http://c:3";
        let found = addresses(target).unwrap();
        let shown = |service: &str| found[service].iter().map(|at| at.uri().to_string()).collect::<Vec<_>>();
        assert_eq!(shown(""), ["http://a:1/", "http://b:2/"]);
        assert_eq!(shown("customer"), ["http://c:3/"]);
        assert!(addresses("customer=no address").is_err());
    }
}
