//! Those who buy: each repeats his request until he has heard how it ended, over whichever orchestrator answers, gives calls
//! up in the middle, changes his mind, and checks that what he is told never goes back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::{CancelCheckoutRequest, Checkout, CreateCheckoutRequest, GetCheckoutRequest};
use proto::payment::v1::payment::Method;
use service_kit::peer::Client;
use service_kit::wire::duration;
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::town::{Buyer, ORCHESTRATORS, Trace, peer};

/// Orders of one customer for his seat, one after the other as long as they fail.
const ORDERS: usize = 2;
/// When the last one has begun to buy.
const BEGIN_MS: u64 = 12_000;

/// What was heard of a checkout, in the end.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) name: String,
    pub(crate) state: State,
}

/// All that the customers have heard.
pub(crate) type Told = Rc<RefCell<Vec<Heard>>>;

type Checkouts = CheckoutServiceClient<Client>;

/// All of them, until each has heard how it ended.
pub(crate) async fn all(buyers: Vec<Buyer>, mut random: Rng, (told, trace): (Told, Trace)) -> turmoil::Result {
    let doors = ORCHESTRATORS.map(|name| CheckoutServiceClient::new(Client::new(peer(name))));
    let buying = buyers.into_iter().map(|buyer| {
        let customer =
            Customer { buyer, doors: doors.clone(), random: random.fork(), told: told.clone(), trace: trace.clone() };
        customer.buy()
    });
    futures_util::future::join_all(buying.collect::<Vec<_>>()).await;
    Ok(())
}

struct Customer {
    buyer: Buyer,
    doors: [Checkouts; 2],
    random: Rng,
    told: Told,
    trace: Trace,
}

impl Customer {
    async fn buy(mut self) {
        let begin = self.random.u64(..BEGIN_MS);
        tokio::time::sleep(Duration::from_millis(begin)).await;
        for _ in 0..ORDERS {
            let ended = self.order().await;
            let heard = Heard { name: ended.name.clone(), state: ended.state() };
            self.told.borrow_mut().push(heard);
            if ended.state() == State::Completed {
                return;
            }
        }
    }

    async fn order(&mut self) -> Checkout {
        let request_id = Uuid::from_u128(self.random.u128(..));
        let changes_mind = self.random.u8(..4) == 0;
        let mut known: Option<Checkout> = None;
        loop {
            let answer = match &known {
                Some(checkout) if changes_mind && self.random.bool() => self.cancel(&checkout.name).await,
                Some(checkout) if self.random.bool() => self.look(&checkout.name).await,
                _ => self.ask(request_id).await,
            };
            if let Some(Ok(now)) = answer {
                if let Some(before) = &known {
                    assert!(now.version >= before.version, "an answer went back: {before:?}, then {now:?}");
                    assert_eq!(now.name, before.name, "one request stands for two checkouts");
                }
                if matches!(now.state(), State::Completed | State::Failed) {
                    return now;
                }
                known = Some(now);
            }
            let pause = self.random.u64(10..400);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn ask(&mut self, request_id: Uuid) -> Option<Result<Checkout, Status>> {
        let checkout = Checkout {
            customer: self.buyer.customer.clone(),
            reservation: self.buyer.reservation.clone(),
            payment_method: Method::Point.into(),
            ..Default::default()
        };
        let request = CreateCheckoutRequest {
            checkout: Some(checkout),
            wait: Some(duration(self.random.i64(0..3_000))),
            request_id: request_id.to_string(),
            ..Default::default()
        };
        let mut door = self.door();
        self.patiently(async move { door.create_checkout(request).await }).await
    }

    async fn look(&mut self, name: &str) -> Option<Result<Checkout, Status>> {
        let request = GetCheckoutRequest { name: name.to_owned() };
        let mut door = self.door();
        self.patiently(async move { door.get_checkout(request).await }).await
    }

    async fn cancel(&mut self, name: &str) -> Option<Result<Checkout, Status>> {
        let request = CancelCheckoutRequest { name: name.to_owned(), ..Default::default() };
        let mut door = self.door();
        self.patiently(async move { door.cancel_checkout(request).await }).await
    }

    fn door(&mut self) -> Checkouts {
        self.doors[self.random.usize(..ORCHESTRATORS.len())].clone()
    }

    /// Waits for the answer, often not long enough; then the call is dropped wherever it is.
    async fn patiently(
        &mut self,
        call: impl Future<Output = Result<Response<Checkout>, Status>>,
    ) -> Option<Result<Checkout, Status>> {
        let most = if self.random.bool() { 60 } else { 6_000 };
        let patience = Duration::from_millis(self.random.u64(1..most));
        let answer = tokio::time::timeout(patience, call).await.ok();
        let answer = answer.map(|answer| answer.map(Response::into_inner));
        let how = match &answer {
            Some(Ok(checkout)) => format!("{} {:?} {}", checkout.name, checkout.state(), checkout.version),
            Some(Err(status)) if status.code() == Code::InvalidArgument => panic!("{status:?}"),
            Some(Err(status)) => format!("{:?} {}", status.code(), status.message()),
            None => "given up".to_owned(),
        };
        self.trace.lock().expect("nobody panics with it").push(format!("{} heard {how}", self.buyer.customer));
        answer
    }
}
