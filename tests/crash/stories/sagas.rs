//! Stories about the course of one saga of any kind.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga::step::State as StepState;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use proto::orchestrator::v1::{
    AbortSagaRequest, CancelCheckoutRequest, Cancellation, Card, CreateCancellationRequest, CreatePointChargeRequest,
    GetSagaRequest, PointCharge,
};
use proto::payment::v1::payment::Method;

use super::{Actor, WAIT_MS};
use crate::history::{Order, Told};
use crate::shop::{Held, PRICE};

/// Points that are bought.
const CHARGE: i64 = 30_000;
/// Looks until a step has begun.
const LOOKS: usize = 2_000;

/// What a saga is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Checkout,
    Cancellation,
    Charge,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// It completes.
    Completes,
    /// The pivot is refused.
    Refused,
    /// It is stopped while this call, which never arrives, is under way.
    StoppedAt(&'static str),
    /// It is stopped while the pivot is in doubt, which has happened.
    StoppedTooLate,
}

impl Kind {
    /// The name of the pivot's method, and its step.
    fn pivot(self) -> (&'static str, &'static str) {
        match self {
            Self::Checkout => ("ConfirmReservation", "confirm-reservation"),
            Self::Cancellation => ("CommitReservationCancellation", "commit-cancellation"),
            Self::Charge => ("CapturePayment", "capture-payment"),
        }
    }
}

impl Actor<'_> {
    /// Makes what such a saga begins with.
    pub(super) async fn prepare_saga(&mut self, kind: Kind) -> Result<Held> {
        match kind {
            Kind::Checkout => Ok(self.stage.admitted(self.channel).await?),
            Kind::Charge => {
                let customer = self.stage.customer(self.channel, 0).await?;
                Ok(Held { customer, ..Held::default() })
            }
            Kind::Cancellation => {
                let held = self.stage.held(self.channel, PRICE).await?;
                self.ask(Kind::Checkout, &held, WAIT_MS).await?;
                self.history.settle(self.channel).await?;
                Ok(held)
            }
        }
    }

    /// Has it take its course.
    pub(super) async fn act_saga(&mut self, (kind, turn): (Kind, Turn), held: &Held) -> Result<()> {
        let (method, step) = kind.pivot();
        match turn {
            Turn::Completes => drop(self.ask(kind, held, WAIT_MS).await?),
            Turn::Refused => {
                self.life.tell(&format!("fault {method} refuse")).await?;
                self.ask(kind, held, WAIT_MS).await?;
            }
            Turn::StoppedAt(method) => self.stop_at(kind, held, (method, "hang", begun_by(method))).await?,
            Turn::StoppedTooLate => self.stop_at(kind, held, (method, "lose-reply", step)).await?,
        }
        self.history.settle(self.channel).await
    }

    async fn stop_at(&mut self, kind: Kind, held: &Held, fault: (&str, &str, &str)) -> Result<()> {
        let (method, fault, step) = fault;
        self.life.tell(&format!("fault {method} {fault}")).await?;
        let told = self.ask(kind, held, 0).await?;
        self.begun(&told, step, fault == "lose-reply").await?;
        self.stop(kind, &told).await?;
        self.life.tell("heal").await
    }

    /// Waits until a step is under way, or in doubt.
    pub(super) async fn begun(&self, told: &Told, step: &str, is_in_doubt: bool) -> Result<()> {
        let mut sagas = SagaServiceClient::new(self.channel.clone());
        for _ in 0..LOOKS {
            let saga = sagas.get_saga(GetSagaRequest { name: told.saga() }).await?.into_inner();
            let found = saga.steps.iter().find(|known| known.id == step).context("the plan has no such step")?;
            // One whose reply was lost has had its effect.
            if found.ambiguous_count > 0 || !is_in_doubt && found.state() != StepState::Pending {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("{step} does not begin")
    }

    /// A customer stops his checkout, an operator anything else. That it is too late is an answer, too.
    async fn stop(&self, kind: Kind, told: &Told) -> Result<()> {
        let reason = "changed my mind".to_owned();
        let stopped = match kind {
            Kind::Checkout => {
                let request = CancelCheckoutRequest { name: told.name.clone(), reason, ..Default::default() };
                CheckoutServiceClient::new(self.channel.clone()).cancel_checkout(request).await.map(drop)
            }
            Kind::Cancellation | Kind::Charge => {
                let request = AbortSagaRequest { name: told.saga(), reason, ..Default::default() };
                SagaServiceClient::new(self.channel.clone()).abort_saga(request).await.map(drop)
            }
        };
        match stopped {
            Err(status) if status.code() != tonic::Code::FailedPrecondition => Err(status.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sends the order of that kind.
    async fn ask(&mut self, kind: Kind, held: &Held, wait_ms: i64) -> Result<Told> {
        let Held { customer, reservation, .. } = held.clone();
        let request_id = self.stage.id();
        let order = match kind {
            Kind::Checkout => return self.history.buy(self.channel, (&request_id, held), wait_ms).await,
            Kind::Cancellation => {
                let cancellation = Some(Cancellation { customer, reservation, ..Default::default() });
                Order::Cancellation(CreateCancellationRequest { cancellation, request_id, ..Default::default() })
            }
            Kind::Charge => {
                let payment_method = Method::Card.into();
                let wanted = PointCharge { customer, amount: CHARGE, payment_method, ..Default::default() };
                let card = Some(Card { processor_token: "tok_visa".into(), last_four: "4242".into() });
                Order::Charge(CreatePointChargeRequest { point_charge: Some(wanted), card, request_id, wait: None })
            }
        };
        self.history.ask(self.channel, order, wait_ms).await
    }
}

/// The step that begins with a call of that method.
fn begun_by(method: &str) -> &'static str {
    match method {
        "LockReservation" => "lock-reservation",
        "ReservePoints" => "reserve-points",
        "AuthorizePayment" => "authorize-payment",
        "ConfirmReservation" => "confirm-reservation",
        "BeginReservationCancellation" => "begin-cancellation",
        "CreateRefund" => "create-refund",
        "CommitReservationCancellation" => "commit-cancellation",
        "CapturePayment" => "capture-payment",
        _ => "",
    }
}
