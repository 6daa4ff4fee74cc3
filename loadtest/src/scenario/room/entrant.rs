//! One who comes to a waiting room: takes a place, asks for his turn, holds seats, and buys them or thinks better of it.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use proto::concert::v1 as concert;
use proto::customer::v1::{AdjustPointsRequest, CreateCustomerRequest, Customer};
use proto::orchestrator::v1::{Checkout, CreateCheckoutRequest};
use proto::payment::v1::payment::Method;
use proto::token::v1 as token;
use proto::token::v1::queue_token::State;
use tokio::time::{Instant, sleep};
use tonic::Status;

use super::Hall;
use super::notes::Admitted;
use crate::client::reason;
use crate::clock;
use crate::drive::is_in_doubt;
use crate::tally::{BOUGHT, outcome};

/// What somebody who asks too often waits between two times.
const IMPATIENT: Duration = Duration::from_millis(100);
/// When to ask again where nobody has said.
const USUAL: Duration = Duration::from_secs(1);
/// Somebody who does not claim his turn is gone when so many are before him.
const NEAR: i64 = 50;
/// Of those who hold seats, one in so many buys nothing; one in so many has to get points first.
const ABANDONS: f64 = 0.15;
const TOPS_UP: f64 = 0.12;
/// What half of them need at most from their turn to the checkout, in seconds in life, and how much that differs.
const SESSION_MEDIAN: f64 = 60.0;
const SESSION_SIGMA: f64 = 0.668;
/// After which a hold that nobody buys is given back, in life by itself.
const HOLD: f64 = 300.0;
/// Times that somebody asks again when no answer comes.
const TRIES: usize = 20;
/// How many want one to four seats, in percent: 2.2 on average.
const PARTIES: [u8; 4] = [25, 45, 15, 15];

/// How somebody behaves in line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habit {
    pub(super) polls_too_often: bool,
    pub(super) vanishes: bool,
    pub(super) claims: bool,
}

/// He, and where he is.
pub(super) struct Entrant {
    pub(super) hall: Arc<Hall>,
    /// As how manieth he came.
    pub(super) number: usize,
    pub(super) habit: Habit,
    pub(super) random: Rng,
}

impl Entrant {
    /// From his coming to his going.
    pub(super) async fn run(mut self) {
        let customer = format!("customers/{}", clock::request_id());
        let came = Instant::now();
        let end = match self.queue(&customer).await {
            Err(status) => reason(&status),
            Ok(place) => match self.wait(place, came).await {
                Err(end) => end.to_owned(),
                Ok(pass) => self.shop(&customer, pass).await,
            },
        };
        self.hall.notes.end(end);
    }

    async fn queue(&self, customer: &str) -> Result<token::QueueToken, Status> {
        let request = token::IssueQueueTokenRequest {
            parent: self.hall.show.room.clone(),
            customer: customer.to_owned(),
            request_id: clock::request_id(),
        };
        self.again(|| {
            let (mut tokens, request) = (self.hall.client.tokens(), request.clone());
            async move { Ok(tokens.issue_queue_token(request).await?.into_inner()) }
        })
        .await
    }

    /// Asks until it is his turn; how it ends otherwise, in a word.
    async fn wait(&self, mut place: token::QueueToken, came: Instant) -> Result<token::QueueToken, &'static str> {
        let (mut estimate, mut is_drawn) = (None, false);
        loop {
            sleep(self.pause(&place)).await;
            if Instant::now() > self.hall.until {
                return Err("NEVER_HAD_HIS_TURN");
            }
            if let Some(place) = place.sequence.filter(|_| !is_drawn && came < self.hall.opens) {
                self.hall.notes.draw(self.number, place);
                is_drawn = true;
            }
            let near = place.sequence.is_some() && place.ahead_count < NEAR;
            if self.habit.vanishes && place.sequence.is_some() || near && !self.habit.claims {
                return Err("VANISHED");
            }
            match self.poll(&place.name).await {
                Ok(token) => place = token,
                Err(status) if reason(&status) == "POLL_TOO_FAST" => {
                    self.hall.notes.too_fast();
                    continue;
                }
                Err(status) if is_in_doubt(&status) => continue,
                Err(_) => return Err("LOST_HIS_PLACE"),
            }
            match place.state() {
                State::Active => {
                    self.admit(&place, came, estimate);
                    return Ok(place);
                }
                State::Waiting if place.sold_out => return Err("SOLD_OUT"),
                State::Waiting => {
                    let told = place.estimated_wait.filter(|_| place.sequence.is_some());
                    let told = told.and_then(|told| Duration::try_from(told).ok());
                    estimate = estimate.or(told.map(|told| (Instant::now(), told)));
                }
                State::Unspecified | State::Completed | State::Expired | State::Left | State::Revoked => {
                    return Err("TURN_EXPIRED");
                }
            }
        }
    }

    fn pause(&self, place: &token::QueueToken) -> Duration {
        let told = place.poll_interval.and_then(|told| Duration::try_from(told).ok()).unwrap_or(USUAL);
        if self.habit.polls_too_often { IMPATIENT } else { told }
    }

    async fn poll(&self, name: &str) -> Result<token::QueueToken, Status> {
        let _permit = self.hall.gate.acquire().await;
        let request = token::GetQueueTokenRequest { name: name.to_owned() };
        Ok(self.hall.client.tokens().get_queue_token(request).await?.into_inner())
    }

    fn admit(&self, place: &token::QueueToken, came: Instant, estimate: Option<(Instant, Duration)>) {
        let seconds = |at: prost_types::Timestamp| at.seconds as f64 + f64::from(at.nanos) / 1e9;
        self.hall.notes.admit(Admitted {
            sequence: place.sequence.unwrap_or_default(),
            activated: place.activate_time.map_or(0.0, seconds),
            waited: came.elapsed(),
            estimated: estimate.map(|(told_at, told)| (told, told_at.elapsed())),
        });
    }

    /// What he does inside; what comes of it in a word.
    async fn shop(&mut self, customer: &str, pass: token::QueueToken) -> String {
        let end = self.try_to_buy(customer, &pass).await.unwrap_or_else(|status| reason(&status));
        if end != BOUGHT {
            // Whoever has bought is out by that; others make room for the next ones.
            let request = token::LeaveWaitingRoomRequest { name: pass.name };
            drop(self.hall.client.tokens().leave_waiting_room(request).await);
        }
        end
    }

    async fn try_to_buy(&mut self, customer: &str, pass: &token::QueueToken) -> Result<String, Status> {
        let session = SESSION_MEDIAN * (SESSION_SIGMA * normal(&mut self.random)).exp() / self.hall.pace;
        let think = Duration::from_secs_f64(session / 2.0);
        self.register(customer).await?;
        sleep(think).await;
        let held = self.hold(customer, pass).await?;
        sleep(think).await;
        if self.random.f64() < ABANDONS {
            sleep(Duration::from_secs_f64(HOLD / self.hall.pace)).await;
            let request = concert::ReleaseReservationRequest { name: held.name, customer: customer.to_owned() };
            self.hall.client.reservations().release_reservation(request).await?;
            return Ok("ABANDONED".into());
        }
        if self.random.f64() < TOPS_UP {
            let refused = self.check_out(customer, pass, &held).await?;
            self.hall.notes.buy(outcome(&Ok(refused)), None);
        }
        self.top_up(customer, held.total_amount).await?;
        let started = Instant::now();
        let told = outcome(&self.check_out(customer, pass, &held).await);
        self.hall.notes.buy(told.clone(), Some((started.elapsed(), held.items.len())));
        Ok(told)
    }

    async fn register(&self, customer: &str) -> Result<(), Status> {
        let id = customer.trim_start_matches("customers/").to_owned();
        let request = CreateCustomerRequest {
            customer: Some(Customer { display_name: format!("Entrant {}", self.number), ..Default::default() }),
            customer_id: id,
            request_id: clock::request_id(),
        };
        self.again(|| {
            let (mut customers, request) = (self.hall.client.customers(), request.clone());
            async move { customers.create_customer(request).await.map(drop) }
        })
        .await
    }

    async fn hold(&mut self, customer: &str, pass: &token::QueueToken) -> Result<concert::Reservation, Status> {
        let mut chance = self.random.u8(..100);
        let mut party = 1;
        for share in PARTIES {
            if chance < share {
                break;
            }
            (chance, party) = (chance - share, party + 1);
        }
        // Whoever finds fewer side by side takes fewer.
        loop {
            let request = concert::HoldBestAvailableSeatsRequest {
                customer: customer.to_owned(),
                performance: self.hall.show.performance.clone(),
                seat_count: party,
                admission_pass: pass.admission_pass.clone(),
                request_id: clock::request_id(),
                ..Default::default()
            };
            let held = self.again(|| {
                let (mut reservations, request) = (self.hall.client.reservations(), request.clone());
                async move { Ok(reservations.hold_best_available_seats(request).await?.into_inner()) }
            });
            match held.await {
                Err(status) if reason(&status) == "SOLD_OUT" && party > 1 => party -= 1,
                held => return held,
            }
        }
    }

    async fn top_up(&self, customer: &str, amount: i64) -> Result<(), Status> {
        let request = AdjustPointsRequest {
            customer: customer.to_owned(),
            amount,
            reason: "points for a load test".into(),
            request_id: clock::request_id(),
        };
        self.again(|| {
            let (mut points, request) = (self.hall.client.points(), request.clone());
            async move { points.adjust_points(request).await.map(drop) }
        })
        .await
    }

    async fn check_out(
        &self,
        customer: &str,
        pass: &token::QueueToken,
        held: &concert::Reservation,
    ) -> Result<Checkout, Status> {
        let request = CreateCheckoutRequest {
            checkout: Some(Checkout {
                customer: customer.to_owned(),
                reservation: held.name.clone(),
                queue_token: pass.name.clone(),
                payment_method: Method::Point.into(),
                ..Default::default()
            }),
            expected_amount: Some(held.total_amount),
            wait: Some(prost_types::Duration { seconds: 10, nanos: 0 }),
            request_id: clock::request_id(),
            ..Default::default()
        };
        self.again(|| {
            let (mut checkouts, request) = (self.hall.client.checkouts(), request.clone());
            async move { Ok(checkouts.create_checkout(request).await?.into_inner()) }
        })
        .await
    }

    /// Asks again with the same request while nobody knows what has become of it.
    async fn again<T, F>(&self, ask: impl Fn() -> F) -> Result<T, Status>
    where
        F: Future<Output = Result<T, Status>>,
    {
        for _ in 0..TRIES {
            let permit = self.hall.gate.acquire().await;
            let answer = ask().await;
            drop(permit);
            match answer {
                Err(status) if is_in_doubt(&status) => sleep(USUAL / 4).await,
                answer => return answer,
            }
        }
        let _permit = self.hall.gate.acquire().await;
        ask().await
    }
}

/// One of many numbers around zero, as nature makes them.
fn normal(random: &mut Rng) -> f64 {
    let (one, other) = (1.0 - random.f64(), random.f64());
    (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
}
