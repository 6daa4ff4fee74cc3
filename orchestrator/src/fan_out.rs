//! Gives back what was sold of performances that are cancelled: one cancellation for each reservation, until none is left.
//!
//! What is left is asked of the concert service anew in every round, so nothing is remembered and a dead process leaves no
//! gap. A reservation is tried once in a while: the id of its request follows from it and from that while, so that a round
//! that comes again, here or elsewhere, finds the cancellation that there is. Rate and number are bounded, so that checkouts
//! of other concerts hardly notice.

use std::time::Duration;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use proto::concert::v1::reservation::State;
use proto::concert::v1::reservation_service_client::ReservationServiceClient;
use proto::concert::v1::{ListReservationsToCancelRequest, ListReservationsToCancelResponse};
use saga::State as Stands;
use service_kit::crash_point;
use service_kit::host::Host;
use service_kit::ids;
use service_kit::wire::duration;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::desk::Desk;
use crate::faults::status;
use crate::intake::{cancellation, look, place};
use crate::plans::cancellation::Input;
use crate::runner::Runner;

/// How often it is asked whether something is left.
const PERIOD: Duration = Duration::from_secs(10);
/// Reservations in one answer.
const PAGE: i32 = 500;
/// When a reservation is tried again whose cancellation was refused.
const RETRY_MS: i64 = 10 * 60 * 1_000;
/// How long a cancellation keeps its place among those at once, if it is not decided before.
const PATIENCE_MS: i64 = 30_000;

/// Cancels until the host stops; of several orchestrators the eldest does.
pub(crate) fn start(host: &Host, desk: &Desk, runner: &Runner) {
    let (desk, runner) = (desk.clone(), runner.clone());
    host.every(PERIOD, "cancelled performances", move || {
        let fan_out = FanOut { desk: desk.clone(), runner: runner.clone() };
        async move { fan_out.round().await }
    });
}

struct FanOut {
    desk: Desk,
    runner: Runner,
}

impl FanOut {
    /// Goes through all that is left, page by page.
    async fn round(&self) -> Result<(), Status> {
        let mut page_token = String::new();
        while !self.desk.stop.is_cancelled() && self.runner.is_eldest().await {
            let page = self.page(page_token).await?;
            // One that is CONFIRMING is looked at in a later round, when its checkout is over.
            let confirmed = page.reservations.into_iter().filter(|found| found.state() == State::Confirmed);
            let names: Vec<_> = confirmed.map(|found| found.name).collect();
            let cancelling = paced(names, self.pace(), self.desk.stop.clone()).map(|name| self.cancel(name));
            let at_once = usize::try_from(self.desk.config.cancellations_at_once).unwrap_or(usize::MAX);
            cancelling.buffer_unordered(at_once).try_collect::<()>().await?;
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        Ok(())
    }

    async fn page(&self, page_token: String) -> Result<ListReservationsToCancelResponse, Status> {
        let mut reservations = ReservationServiceClient::new(look::participant(&self.desk, "concert")?);
        let request = ListReservationsToCancelRequest { page_size: PAGE, page_token };
        look::in_time(&self.desk, reservations.list_reservations_to_cancel(request)).await
    }

    /// Starts one cancellation, unless it has been started this while, and waits until it is decided.
    async fn cancel(&self, reservation: String) -> Result<(), Status> {
        let now_ms = self.desk.clock.now_ms();
        let id = ids::name("name", &reservation, "reservations").map_err(status)?;
        let request_id = ids::derived_at(now_ms - now_ms.rem_euclid(RETRY_MS), id, "its performance is cancelled");
        let input = Input { reservation, customer: String::new(), waive_fee: true };
        let asked = (request_id.to_string(), Some(duration(PATIENCE_MS)));
        let order = cancellation::order(input, asked, &self.desk.config).map_err(status)?;
        if place::is_known(&self.desk, &order).await.map_err(status)? {
            return Ok(());
        }
        crash_point!("fan_out.before_cancel");
        let record = place::place(&self.desk, order).await.map_err(status)?;
        crash_point!("fan_out.after_cancel");
        if *record.saga.state() == Stands::Compensated {
            let reason = record.saga.failure().map(|failure| failure.reason.as_str()).unwrap_or_default();
            let reservation = &record.reference;
            tracing::warn!(saga.id = %record.id, reservation, reason, "a reservation of a cancelled performance stays; it is tried again");
        }
        Ok(())
    }

    fn pace(&self) -> Interval {
        let mut pace = interval(period(self.desk.config.cancellations_per_second));
        // What was not started in time is not made up for.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pace
    }
}

/// Between two starts, however many there are to be a second: never nothing.
fn period(per_second: u32) -> Duration {
    (Duration::from_secs(1) / per_second.max(1)).max(Duration::from_nanos(1))
}

/// One after the other, no faster than the pace, until the stop.
fn paced(names: Vec<String>, pace: Interval, stop: CancellationToken) -> impl Stream<Item = String> {
    stream::unfold((names.into_iter(), pace, stop), |(mut names, mut pace, stop)| async move {
        let name = names.next()?;
        stop.run_until_cancelled(pace.tick()).await?;
        Some((name, (names, pace, stop)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_is_too_large_or_too_small() {
        assert_eq!(period(20), Duration::from_millis(50));
        assert!([0, 1, u32::MAX].iter().all(|rate| !period(*rate).is_zero()));
    }
}
