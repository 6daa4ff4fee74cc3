//! Stories that are not about the course of one saga.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use proto::concert::v1::concert_service_client::ConcertServiceClient;
use proto::concert::v1::reservation::State as ReservationState;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::concert::v1::{CancelPerformanceRequest, GetReservationRequest};
use proto::customer::v1::GetPointAccountRequest;
use proto::customer::v1::point_service_client::PointServiceClient;
use proto::orchestrator::v1::bulk_operation::Verb;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga::State as SagaState;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{GetCheckoutRequest, GetSagaRequest, StartBulkOperationRequest};

use super::{Actor, WAIT_MS};
use crate::history::Told;
use crate::shop::{Held, PRICE, admission};

/// Looks, 25 ms apart, until something has happened that takes its time.
const LOOKS: usize = 1_200;
const LOOK: Duration = Duration::from_millis(25);

impl Actor<'_> {
    pub(super) async fn buy(&mut self, held: &Held, wait_ms: i64) -> Result<Told> {
        self.history.buy(self.channel, (&self.stage.id(), held), wait_ms).await
    }

    /// Leaves a saga open past its pivot.
    pub(super) async fn leave_open(&mut self, held: &Held) -> Result<()> {
        self.life.tell("fault CapturePoints hang").await?;
        let told = self.buy(held, 0).await?;
        self.begun(&told, "capture-points", false).await
    }

    pub(super) async fn look(&mut self, held: &Held) -> Result<()> {
        let name = self.buy(held, WAIT_MS).await?.name;
        CheckoutServiceClient::new(self.channel.clone()).get_checkout(GetCheckoutRequest { name }).await?;
        Ok(())
    }

    pub(super) async fn request(&mut self, held: &Held) -> Result<()> {
        self.stage.give(self.channel, (&held.customer, &held.ids[0]), PRICE).await?;
        self.stage.hold_by(self.channel, held).await?;
        Ok(())
    }

    /// Each request, repeated, has happened once.
    pub(super) async fn requested(&mut self, held: &Held) -> Result<()> {
        for _ in 0..2 {
            self.stage.give(self.channel, (&held.customer, &held.ids[0]), PRICE).await?;
        }
        let request = GetPointAccountRequest { name: format!("{}/pointAccount", held.customer) };
        let account = PointServiceClient::new(self.channel.clone()).get_point_account(request).await?.into_inner();
        ensure!(account.posted_balance == PRICE, "given once, it is {}", account.posted_balance);
        let first = self.stage.hold_by(self.channel, held).await?;
        let second = self.stage.hold_by(self.channel, held).await?;
        ensure!(first == second, "one request holds {first} and {second}");
        Ok(())
    }

    /// Who queues is admitted.
    pub(super) async fn queued(&mut self, held: &Held) -> Result<()> {
        let place = self.stage.queue(self.channel, &held.customer).await?;
        admission(self.channel, &place).await?;
        Ok(())
    }

    pub(super) async fn strike(&mut self, held: &Held) -> Result<()> {
        let name = held.performance.clone();
        let request = CancelPerformanceRequest { name, reason: "the hall has burnt down".into(), ..Default::default() };
        ConcertServiceClient::new(self.channel.clone()).cancel_performance(request).await?;
        Ok(())
    }

    pub(super) async fn given_back(&mut self, held: &Held) -> Result<()> {
        let mut reservations = ReservationServiceClient::new(self.channel.clone());
        for _ in 0..LOOKS {
            let request = GetReservationRequest { name: held.reservation.clone() };
            let reservation = reservations.get_reservation(request).await?.into_inner();
            if reservation.state() == ReservationState::Cancelled {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("what was bought of a performance that is cancelled is not given back")
    }

    /// Two checkouts that a lie has parked.
    pub(super) async fn park(&mut self) -> Result<Held> {
        self.life.tell("fault ReservePoints garbage").await?;
        for _ in 0..2 {
            let held = self.stage.held(self.channel, PRICE).await?;
            let told = self.buy(&held, 0).await?;
            self.parked(&told).await?;
        }
        self.life.tell("heal").await?;
        Ok(Held { ids: [self.stage.id(), self.stage.id()], ..Held::default() })
    }

    async fn parked(&self, told: &Told) -> Result<()> {
        let mut sagas = SagaServiceClient::new(self.channel.clone());
        for _ in 0..LOOKS {
            let saga = sagas.get_saga(GetSagaRequest { name: told.saga() }).await?.into_inner();
            if saga.state() == SagaState::Suspended {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        bail!("a lie does not park a saga")
    }

    pub(super) async fn let_go(&mut self, held: &Held) -> Result<()> {
        let request = StartBulkOperationRequest {
            filter: "state = SUSPENDED".into(),
            verb: Verb::Resume.into(),
            reason: "mended".into(),
            request_id: held.ids[0].clone(),
            validate_only: false,
        };
        let started = SagaServiceClient::new(self.channel.clone()).start_bulk_operation(request).await;
        started.context("the bulk operation starts")?;
        self.history.settle(self.channel).await
    }
}
