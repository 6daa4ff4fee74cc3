//! What open sagas come to, on both journals.

use std::sync::Arc;
use std::time::Duration;

use orchestrator::participants::Participant;
use orchestrator::plans::Plans;
use pb::saga::State;
use proto::orchestrator::v1 as pb;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::saga_service_client::SagaServiceClient;
use service_kit::refusal::Fault;
use service_kit::wire::{duration, duration_ms};
use tonic::Code;

use crate::fakes::{AMOUNT, Fakes};
use crate::world::{World, clients, fakes, host, patient, request, seconds, told};

/// State, step, reason, sagas, amount and seats of a group.
type Kept<'a> = (State, &'a str, &'a str, i64, i64, i64);

fn kept(group: &pb::saga_statistics::Exposure) -> Kept<'_> {
    let counts = (group.saga_count, group.held_amount, group.held_seat_count);
    (group.state(), &group.step_id, &group.reason, counts.0, counts.1, counts.2)
}

/// An orchestrator over some journal.
struct House {
    fakes: Arc<Fakes>,
    checkouts: CheckoutServiceClient<Participant>,
    sagas: SagaServiceClient<Participant>,
}

impl House {
    async fn on_memory() -> Self {
        let World { fakes, checkouts, sagas, .. } = World::with(patient()).await;
        Self { fakes, checkouts, sagas }
    }

    async fn on_sql() -> Self {
        let fakes = fakes();
        let started = orchestrator::start(&host().await, patient(), Plans::default(), fakes.participants(), Vec::new())
            .await
            .unwrap();
        let (checkouts, sagas) = clients(&started);
        Self { fakes, checkouts, sagas }
    }

    /// Begins a checkout and waits until a participant has been asked so often for `method`.
    async fn begin(&self, number: u128, method: &str, calls: usize) -> String {
        let request = pb::CreateCheckoutRequest { wait: seconds(0), ..request(number) };
        let name = self.checkouts.clone().create_checkout(request).await.unwrap().into_inner().name;
        self.until(|house| house.fakes.calls(method) >= calls).await;
        name.replace("checkouts", "sagas")
    }

    async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        for _ in 0..5_000 {
            if wanted(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it does not come to that");
    }

    async fn statistics(&self) -> pb::SagaStatistics {
        let request = pb::GetSagaStatisticsRequest::default();
        self.sagas.clone().get_saga_statistics(request).await.unwrap().into_inner()
    }

    /// Waits until the groups are as expected.
    async fn expect(&self, expected: &[Kept<'_>]) {
        let mut shown = Vec::new();
        for _ in 0..2_000 {
            let statistics = self.statistics().await;
            shown = statistics.exposures;
            shown.sort_by_key(|group| (group.state, group.reason.clone()));
            if shown.iter().map(kept).eq(expected.iter().copied()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{shown:#?}");
    }
}

#[tokio::test]
async fn money_and_seats_are_counted_where_open_sagas_hold_them() {
    for house in [House::on_memory().await, House::on_sql().await] {
        assert_eq!(house.statistics().await, pb::SagaStatistics::default(), "nothing is open");
        // It ends, and is in nobody's way.
        house.begin(1, "CapturePoints", 1).await;
        house.expect(&[]).await;

        // Two have their seats, and maybe their points.
        let _never = house.fakes.hold("ReservePoints");
        house.begin(2, "ReservePoints", 2).await;
        house.begin(3, "ReservePoints", 3).await;
        // One is told to ask again.
        let pending = Fault::Pending(Duration::from_secs(600)).into_step_status("ticketing.customer.v1");
        house.fakes.fail("ReservePoints", pending);
        house.begin(4, "ReservePoints", 4).await;
        house.fakes.heal("ReservePoints");
        // One has sold its seat and cannot move the points.
        let _never = house.fakes.hold("CapturePoints");
        house.begin(5, "CapturePoints", 2).await;
        // One waits for a person, and nobody knows yet what it costs.
        let _never = house.fakes.hold("LockReservation");
        let name = house.begin(6, "LockReservation", 6).await;
        let request = pb::SuspendSagaRequest { name, reason: "let me look".into(), expected_version: 0 };
        house.sagas.clone().suspend_saga(request).await.unwrap();

        let all = [
            (State::Running, "reserve-points", "", 2, 2 * AMOUNT, 2),
            (State::Running, "reserve-points", "PENDING", 1, AMOUNT, 1),
            (State::Completing, "capture-points", "", 1, AMOUNT, 0),
            (State::Suspended, "lock-reservation", "SUSPENDED", 1, 0, 0),
        ];
        house.expect(&all).await;
        let statistics = house.statistics().await;
        let states: Vec<_> = statistics.count_by_state.iter().map(|(state, count)| (state.as_str(), *count)).collect();
        assert_eq!(states, [("COMPLETING", 1), ("RUNNING", 3), ("SUSPENDED", 1)]);
        assert_eq!((statistics.open_count, statistics.suspended_count), (5, 1));
        assert_eq!((statistics.held_amount, statistics.held_seat_count), (4 * AMOUNT, 3));
        let reasons: Vec<_> = statistics.failure_count_by_reason.iter().map(|(why, count)| (&**why, *count)).collect();
        assert_eq!(reasons, [("PENDING", 1), ("SUSPENDED", 1)]);
        assert_eq!(statistics.exposures[0].saga_count, 2, "the largest group comes first");
        assert!(statistics.oldest_open_age.is_some_and(|age| duration_ms(age) < 60_000));
    }
}

#[tokio::test]
async fn what_was_refused_is_held_until_it_is_given_back() {
    for house in [House::on_memory().await, House::on_sql().await] {
        let _never = house.fakes.hold("ReleasePoints");
        house.fakes.fail("AuthorizePayment", crate::world::refused("PAYMENT_DECLINED"));
        house.begin(1, "ReleasePoints", 1).await;
        house.expect(&[(State::Compensating, "reserve-points", "PAYMENT_DECLINED", 1, AMOUNT, 1)]).await;
    }
}

#[tokio::test]
async fn a_window_leaves_out_what_is_older() {
    for house in [House::on_memory().await, House::on_sql().await] {
        let _never = house.fakes.hold("LockReservation");
        house.begin(1, "LockReservation", 1).await;
        let within = async |ms| {
            let request = pb::GetSagaStatisticsRequest { window: Some(duration(ms)) };
            house.sagas.clone().get_saga_statistics(request).await.map(|answer| answer.into_inner().open_count)
        };
        assert_eq!(within(3_600_000).await.unwrap(), 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(within(10).await.unwrap(), 0);
        for wrong in [0, -1] {
            assert_eq!(told(within(wrong).await), (Code::InvalidArgument, "FIELD_INVALID".into()));
        }
    }
}
