//! Attends to what the processor is to be asked: at once when a step has left it, and in rounds for what a crash, an outage
//! or a slow processor has left behind. Several processes may do so side by side, as whoever attends takes the errand
//! first, for a while.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use service_kit::clock::Clock;
use service_kit::crash_point;
use service_kit::db::{Db, Tx};
use service_kit::host::Host;
use service_kit::refusal::{Fault, Refusal, SagaOutcome};
use service_kit::tasks::Tasks;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::config::Config;
use crate::errand::{self, Errand, Kind, Problem};
use crate::health::Health;
use crate::processor::{Answer, Processor, Question, Trouble};
use crate::steps::Cards;
use crate::store::errands::{self, Place};
use crate::store::{self, cards, refunds};
use crate::{BARRIER, settle};

/// Batches of one round at most; the next round goes on.
const BATCHES: usize = 100;
/// When to ask again while the processor has a problem.
const PROBLEM_RETRY: Duration = Duration::from_secs(5);
/// Errands of one attendance at most: a declined capture is followed by an order to void.
const ERRANDS: usize = 2;
/// What one errand asks at most: it looks, acts, and looks again; and one more for what lies between.
const ASKS: u64 = 4;

/// The desk; cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    db: Db,
    processor: Processor,
    config: Config,
    permits: Semaphore,
    health: Health,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    stop: CancellationToken,
}

impl Desk {
    /// # Errors
    /// What is wrong with the processor's URL.
    pub(crate) fn new(host: &Host, config: Config) -> Result<Self, String> {
        let processor = Processor::new(&config.processor, config.timeout())?;
        let permits = Semaphore::new(config.processor_concurrency.min(Semaphore::MAX_PERMITS));
        let (db, clock) = (host.db.clone(), host.clock.clone());
        let (tasks, stop, health) = (host.tasks.clone(), host.stop.clone(), Health::default());
        Ok(Self(Arc::new(Parts { db, processor, config, permits, health, clock, tasks, stop })))
    }

    /// Whether the processor is worth asking for something new.
    pub(crate) fn cards(&self) -> Cards {
        if self.0.health.is_down(self.0.clock.now_ms()) { Cards::Down } else { Cards::Offered }
    }

    /// Runs rounds until the host stops.
    pub(crate) fn spawn(&self, host: &Host) {
        let desk = self.clone();
        host.every(Duration::from_millis(self.0.config.processor_poll_ms), "processor", move || {
            let desk = desk.clone();
            async move { desk.round().await }
        });
    }

    /// One round: attends to everything that is due.
    ///
    /// # Errors
    /// When what is due cannot be read.
    pub async fn round(&self) -> Result<(), service_kit::db::Error> {
        let batch = self.0.config.processor_batch;
        let limit = i64::try_from(batch).unwrap_or(i64::MAX);
        for _ in 0..BATCHES {
            let due = self.0.db.read(async move |tx| errands::due(tx, limit).await).await?;
            let is_last = due.len() < batch;
            let mut all = JoinSet::new();
            for place in due {
                let desk = self.clone();
                all.spawn(async move { desk.attend(place).await });
            }
            while all.join_next().await.is_some() {}
            if is_last || self.0.stop.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Makes a call that may leave an errand. If it does, attends to that, and makes the call again for its answer, unless
    /// that takes too long.
    pub(crate) async fn call<R, F>(&self, place: Place, call: impl Fn() -> F) -> Result<Response<R>, Status>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let first = call().await;
        if !SagaOutcome::is_pending(&first) {
            return first;
        }
        let desk = self.clone();
        // It goes on when nobody waits for it any more.
        let attendance = self.0.tasks.spawn(async move { desk.attend(place).await });
        if tokio::time::timeout(self.0.config.patience(), attendance).await.is_err() {
            return first;
        }
        let second = call().await;
        if is_settled(&second) {
            return second;
        }
        // Whatever keeps the answer from being read, the step is in progress, and is not to be taken for one that never was.
        self.problem(place).await.map_or(first, Err)
    }

    /// Attends to what there is about a payment, in the background: somebody says that the processor has news.
    pub(crate) async fn wake(&self, payment: Uuid) -> Result<(), Fault> {
        for place in self.0.db.write(async move |tx: &mut Tx<'_>| errands::wake(tx, payment).await).await? {
            let desk = self.clone();
            self.0.tasks.spawn(async move { desk.attend(place).await });
        }
        Ok(())
    }

    /// Attends to one errand, if it is due and nobody else does.
    async fn attend(&self, place: Place) {
        let permit = tokio::time::timeout(self.0.config.timeout(), self.0.permits.acquire()).await;
        // Too many are attended to; a round comes back to it.
        let Ok(Ok(permit)) = permit else { return };
        if let Err(fault) = self.run(place).await {
            let (payment, id) = place;
            tracing::warn!(%payment, %id, ?fault, "an errand to the processor could not be written down; it comes up again");
        }
        drop(permit);
    }

    async fn run(&self, place: Place) -> Result<(), Fault> {
        for _ in 0..ERRANDS {
            let Some((errand, question)) = self.take(place).await? else { break };
            // Whoever is to end leaves the errand to the next process, which finds out what became of it.
            crash_point!("errand.before_ask");
            let Some(answer) = self.0.stop.run_until_cancelled(self.0.processor.ask(&question)).await else { break };
            crash_point!("errand.before_write");
            let is_there = !matches!(answer, Err(Trouble::Unreachable(_) | Trouble::NoAnswer(_)));
            self.0.health.note(is_there, self.0.clock.now_ms());
            if !self.write(errand, answer).await? {
                break;
            }
        }
        Ok(())
    }

    async fn take(&self, place: Place) -> Result<Option<(Errand, Question)>, Fault> {
        let lease_ms = i64::try_from(self.0.config.processor_timeout_ms.saturating_mul(ASKS)).unwrap_or(i64::MAX / 2);
        let taken = async move |tx: &mut Tx<'_>| -> Result<_, Fault> {
            let Some(errand) = errands::take(tx, place, lease_ms).await? else { return Ok(None) };
            let question = question(tx, &errand).await?;
            Ok(Some((errand, question)))
        };
        self.0.db.write(taken).await
    }

    /// Writes the answer down. Tells whether there may be another errand now.
    async fn write(&self, errand: Errand, answer: Result<Answer, Trouble>) -> Result<bool, Fault> {
        match answer {
            Ok(answer) => {
                let leaves_more = errand.kind == Kind::Capture && answer != Answer::Taken;
                self.0.db.write(async move |tx: &mut Tx<'_>| settle::settle(tx, &errand, &answer).await).await?;
                crash_point!("errand.after_write");
                Ok(leaves_more)
            }
            Err(trouble) => {
                let (payment, id, attempts) = (errand.payment, errand.id, errand.attempts);
                let problem = match &trouble {
                    Trouble::Unreachable(_) | Trouble::NoAnswer(_) => Problem::Unavailable,
                    Trouble::Contradiction(_) => Problem::Contradiction,
                };
                tracing::warn!(%payment, %id, attempts, %trouble, "the processor has not answered; it is asked again");
                let wait_ms = errand::backoff_ms(attempts);
                let put_off = async move |tx: &mut Tx<'_>| errands::put_off(tx, &errand, problem, wait_ms).await;
                self.0.db.write(put_off).await?;
                Ok(false)
            }
        }
    }

    /// Pending, with the reason why it is.
    async fn problem(&self, place: Place) -> Option<Status> {
        let problem = self.0.db.read(async move |tx| errands::problem(tx, place).await).await.ok()??;
        let message = match problem {
            Problem::Unavailable => "the processor cannot be reached; it is asked again until it answers",
            Problem::Declined => "the processor declines what was authorised; it is asked again",
            Problem::Contradiction => "the processor says what cannot be; somebody has to look",
        };
        let refusal = Refusal::new(Code::Unavailable, problem.reason(), message).retry_after(PROBLEM_RETRY);
        Some(SagaOutcome::Pending.mark(refusal.into_status(BARRIER.domain)))
    }
}

/// Whether an answer tells how a step has ended.
fn is_settled<R>(answer: &Result<R, Status>) -> bool {
    answer.as_ref().err().is_none_or(|status| SagaOutcome::of(status) == Some(SagaOutcome::Refused))
}

/// What an errand asks the processor.
async fn question(tx: &mut Tx<'_>, errand: &Errand) -> Result<Question, Fault> {
    let payment = store::payment(tx, errand.payment).await?;
    let amount = match errand.kind {
        Kind::Authorize | Kind::Capture | Kind::Void => payment.authorized_amount,
        Kind::Refund => refunds::of_saga(tx, errand.id).await?.amount,
    };
    let token = match errand.kind {
        Kind::Authorize => cards::token(tx, errand.payment).await?,
        Kind::Capture | Kind::Void | Kind::Refund => String::new(),
    };
    let (kind, is_repeat) = (errand.kind, errand.attempts > 1);
    Ok(Question { kind, payment: errand.payment, amount, token, refund: errand.id, is_repeat })
}
