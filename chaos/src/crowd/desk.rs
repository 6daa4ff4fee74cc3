//! The replicas, as customers call them: three kinds of resources, told apart by their names, and one answer for all.

use std::time::Duration;

use anyhow::{Context as _, Result};
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};

/// How long a customer waits for any answer.
const PATIENCE: Duration = Duration::from_secs(6);
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// How often a silent connection is asked whether anybody is there.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// What is asked for; the same whenever it is sent.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Buy what one holds.
    Checkout(pb::CreateCheckoutRequest),
    /// Return what one has bought.
    Cancellation(pb::CreateCancellationRequest),
    /// Buy points.
    Charge(pb::CreatePointChargeRequest),
}

/// What an answer shows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Of the resource.
    pub name: String,
    /// Where it stands.
    pub state: State,
    /// Of its saga.
    pub version: i64,
}

/// The replicas.
#[derive(Debug, Clone)]
pub struct Desk(Vec<CheckoutServiceClient<Channel>>);

impl Desk {
    /// Those of a target that have no name.
    ///
    /// # Errors
    /// When one of them is no address.
    pub fn new(target: &str) -> Result<Self> {
        let addresses = target.split(',').filter(|address| !address.contains('='));
        let client = |address: &str| {
            let endpoint = Endpoint::from_shared(address.to_owned()).context("it is no address")?;
            let endpoint = endpoint.connect_timeout(CONNECT_PATIENCE).timeout(PATIENCE).tcp_nodelay(true);
            let endpoint = endpoint.http2_keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE);
            Ok(CheckoutServiceClient::new(endpoint.connect_lazy()))
        };
        Ok(Self(addresses.map(client).collect::<Result<_>>()?))
    }

    /// The client of a replica; any number will do.
    fn at(&self, replica: usize) -> CheckoutServiceClient<Channel> {
        self.0[replica % self.0.len()].clone()
    }

    /// Asks a replica for it.
    ///
    /// # Errors
    /// What it says, or what becomes of a call without an answer.
    pub async fn create(&self, replica: usize, wish: Wish) -> Result<Shown, Status> {
        let mut client = self.at(replica);
        match wish {
            Wish::Checkout(request) => client.create_checkout(limited(request)).await.map(checkout),
            Wish::Cancellation(request) => client.create_cancellation(limited(request)).await.map(cancellation),
            Wish::Charge(request) => client.create_point_charge(limited(request)).await.map(charge),
        }
    }

    /// Asks a replica how it stands.
    ///
    /// # Errors
    /// As [`Desk::create`].
    pub async fn get(&self, replica: usize, name: &str) -> Result<Shown, Status> {
        let (mut client, name) = (self.at(replica), name.to_owned());
        match name.split('/').next() {
            Some("cancellations") => {
                client.get_cancellation(limited(pb::GetCancellationRequest { name })).await.map(cancellation)
            }
            Some("pointCharges") => {
                client.get_point_charge(limited(pb::GetPointChargeRequest { name })).await.map(charge)
            }
            _ => client.get_checkout(limited(pb::GetCheckoutRequest { name })).await.map(checkout),
        }
    }

    /// Asks a replica to stop a checkout.
    ///
    /// # Errors
    /// As [`Desk::create`].
    pub async fn cancel(&self, replica: usize, name: &str) -> Result<Shown, Status> {
        let request =
            pb::CancelCheckoutRequest { name: name.to_owned(), reason: "changed my mind".into(), ..Default::default() };
        self.at(replica).cancel_checkout(limited(request)).await.map(checkout)
    }
}

fn limited<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

fn checkout(response: Response<pb::Checkout>) -> Shown {
    let pb::Checkout { name, state, version, .. } = response.into_inner();
    shown(name, state, version)
}

fn cancellation(response: Response<pb::Cancellation>) -> Shown {
    let pb::Cancellation { name, state, version, .. } = response.into_inner();
    shown(name, state, version)
}

fn charge(response: Response<pb::PointCharge>) -> Shown {
    let pb::PointCharge { name, state, version, .. } = response.into_inner();
    shown(name, state, version)
}

fn shown(name: String, state: i32, version: i64) -> Shown {
    Shown { name, state: State::try_from(state).unwrap_or_default(), version }
}
