//! Participants that do as they are told, and a journal that fails where it is told to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut as _, BytesMut};
use orchestrator::journal::{
    Accepted, Adopted, Append, Entry, Error, Journal, MemoryJournal, Orphans, Query, Record, Statistics,
};
use orchestrator::participants::{Participant, Participants};
use prost::Message;
use proto::{concert::v1 as concert, customer::v1 as customer, payment::v1 as payment, token::v1 as token};
use service_kit::db;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use uuid::Uuid;

mod returns;

pub(crate) use returns::{BALANCE, FEE};

pub(crate) const AMOUNT: i64 = 50_000;

/// How a method answers from now on.
#[derive(Clone)]
pub(crate) enum Answer {
    Fail(Status),
    /// Not before the switch is set.
    Hold(watch::Receiver<bool>),
    /// With bytes that are no reply.
    Lie,
}

/// All four participants.
#[derive(Default)]
pub(crate) struct Fakes {
    answers: Mutex<BTreeMap<String, Answer>>,
    calls: Mutex<BTreeMap<String, usize>>,
    /// The title of every concert.
    pub(crate) title: Mutex<String>,
    /// What `GetReservation` answers.
    pub(crate) reservation: Mutex<concert::Reservation>,
    /// The sagas that every participant was told of as archived.
    pub(crate) archived: Mutex<Vec<String>>,
    /// What every participant says is locked.
    pub(crate) locks: Mutex<Vec<concert::SagaLock>>,
    /// Whether locks are gone as soon as somebody was told of them.
    pub(crate) lets_go: Mutex<bool>,
    /// The points that `GetPointAccount` shows as available, and as posted.
    pub(crate) points: Mutex<i64>,
    pub(crate) balance: Mutex<i64>,
}

impl Fakes {
    pub(crate) fn fail(&self, method: &str, status: Status) {
        self.answers.lock().unwrap().insert(method.into(), Answer::Fail(status));
    }

    /// A method answers what cannot be.
    pub(crate) fn lie(&self, method: &str) {
        self.answers.lock().unwrap().insert(method.into(), Answer::Lie);
    }

    /// Keeps a method from answering until `true` is sent.
    pub(crate) fn hold(&self, method: &str) -> watch::Sender<bool> {
        let (release, released) = watch::channel(false);
        self.answers.lock().unwrap().insert(method.into(), Answer::Hold(released));
        release
    }

    /// The method answers as it should again.
    pub(crate) fn heal(&self, method: &str) {
        self.answers.lock().unwrap().remove(method);
    }

    pub(crate) fn calls(&self, method: &str) -> usize {
        self.calls.lock().unwrap().get(method).copied().unwrap_or_default()
    }

    pub(crate) fn participants(self: &Arc<Self>) -> Participants {
        Participants::new(["concert", "customer", "payment", "token"].map(|name| {
            let fakes = self.clone();
            let service = tower::service_fn(move |request| fakes.clone().answer(request));
            (name, Participant::new(service))
        }))
    }

    async fn answer(
        self: Arc<Self>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>, std::convert::Infallible> {
        let method = request.uri().path().rsplit('/').next().unwrap().to_owned();
        *self.calls.lock().unwrap().entry(method.clone()).or_default() += 1;
        let answer = self.answers.lock().unwrap().get(&method).cloned();
        let mut is_lie = false;
        match answer {
            Some(Answer::Fail(status)) => return Ok(status.into_http()),
            Some(Answer::Lie) => is_lie = true,
            Some(Answer::Hold(mut released)) => drop(released.wait_for(|released| *released).await),
            None => {}
        }
        let body = axum::body::to_bytes(axum::body::Body::new(request.into_body()), 1 << 16).await.unwrap();
        let reply = if is_lie { vec![0xff] } else { self.reply(&method, &body[5..]) };
        let mut framed = BytesMut::new();
        framed.put_u8(0);
        framed.put_u32(u32::try_from(reply.len()).unwrap());
        framed.put_slice(&reply);
        let response = http::Response::builder().header("content-type", "application/grpc").header("grpc-status", "0");
        Ok(response.body(Body::new(axum::body::Body::from(framed.freeze()))).unwrap())
    }

    fn reply(&self, method: &str, bytes: &[u8]) -> Vec<u8> {
        match method {
            "LockReservation" => {
                let request = read::<concert::LockReservationRequest>(bytes);
                concert::LockReservationResponse {
                    saga: request.saga,
                    amount: AMOUNT,
                    reservation: Some(self.reservation.lock().unwrap().clone()),
                    concert: "concerts/c".into(),
                    concert_title: self.title.lock().unwrap().clone(),
                    artist: "The Fates".into(),
                    performance_start_time: None,
                    seat_labels: vec!["Floor A 12".into()],
                }
                .encode_to_vec()
            }
            "UnlockReservation" => concert::UnlockReservationResponse {
                saga: read::<concert::UnlockReservationRequest>(bytes).saga,
                amount: AMOUNT,
                reservation: None,
            }
            .encode_to_vec(),
            "ConfirmReservation" => concert::ConfirmReservationResponse {
                saga: read::<concert::ConfirmReservationRequest>(bytes).saga,
                amount: AMOUNT,
                reservation: None,
                tickets: vec![concert::Ticket { name: "reservations/r/tickets/t".into(), ..Default::default() }],
            }
            .encode_to_vec(),
            "GetReservation" => self.reservation.lock().unwrap().encode_to_vec(),
            "ReservePoints" => {
                let saga = read::<customer::ReservePointsRequest>(bytes).saga;
                customer::ReservePointsResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec()
            }
            "ReleasePoints" => {
                let saga = read::<customer::ReleasePointsRequest>(bytes).saga;
                customer::ReleasePointsResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec()
            }
            "CapturePoints" => {
                let saga = read::<customer::CapturePointsRequest>(bytes).saga;
                customer::CapturePointsResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec()
            }
            "GetPointAccount" => {
                let available_balance = *self.points.lock().unwrap();
                let posted_balance = *self.balance.lock().unwrap();
                customer::PointAccount { available_balance, posted_balance, ..Default::default() }.encode_to_vec()
            }
            "PurgeSagaOperations" => {
                let sagas = read::<concert::PurgeSagaOperationsRequest>(bytes).sagas;
                self.archived.lock().unwrap().extend(sagas);
                Vec::new()
            }
            "ListSagaLocks" => {
                let mut locks = self.locks.lock().unwrap();
                let saga_locks = locks.clone();
                if *self.lets_go.lock().unwrap() {
                    locks.clear();
                }
                concert::ListSagaLocksResponse { saga_locks, ..Default::default() }.encode_to_vec()
            }
            _ => Self::reply_about_money(method, bytes),
        }
    }

    fn reply_about_money(method: &str, bytes: &[u8]) -> Vec<u8> {
        match method {
            "AuthorizePayment" => {
                let saga = read::<payment::AuthorizePaymentRequest>(bytes).saga;
                let payment = Some(payment::Payment { name: "payments/p".into(), ..Default::default() });
                payment::AuthorizePaymentResponse { saga, amount: AMOUNT, payment }.encode_to_vec()
            }
            "CancelPayment" => {
                let saga = read::<payment::CancelPaymentRequest>(bytes).saga;
                payment::CancelPaymentResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec()
            }
            "CapturePayment" => {
                let saga = read::<payment::CapturePaymentRequest>(bytes).saga;
                payment::CapturePaymentResponse { saga, amount: AMOUNT, ..Default::default() }.encode_to_vec()
            }
            "CompleteQueueToken" => {
                let saga = read::<token::CompleteQueueTokenRequest>(bytes).saga;
                token::CompleteQueueTokenResponse { saga, ..Default::default() }.encode_to_vec()
            }
            _ => returns::reply(method, bytes),
        }
    }
}

fn read<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).unwrap()
}

/// A journal in memory that counts its reads and may lose the answer to an acceptance.
#[derive(Debug, Default)]
pub(crate) struct Shaky {
    pub(crate) journal: MemoryJournal,
    /// The next acceptance lands, and nobody hears of it.
    pub(crate) loses_answer: AtomicBool,
    /// How often a saga was read.
    pub(crate) loads: AtomicUsize,
}

#[async_trait]
impl Journal for Shaky {
    fn lease(&self) -> Option<Duration> {
        self.journal.lease()
    }

    async fn renew(&self, incarnation: Uuid) -> Result<bool, Error> {
        self.journal.renew(incarnation).await
    }

    async fn register(&self, incarnation: Uuid) -> Result<(), Error> {
        self.journal.register(incarnation).await
    }

    async fn release(&self, incarnation: Uuid) -> Result<(), Error> {
        self.journal.release(incarnation).await
    }

    async fn is_eldest(&self, incarnation: Uuid) -> Result<bool, Error> {
        self.journal.is_eldest(incarnation).await
    }

    async fn settled(&self) -> Result<(), Error> {
        self.journal.settled().await
    }

    async fn accept(&self, first: Append) -> Result<Accepted, Error> {
        let accepted = self.journal.accept(first).await?;
        if self.loses_answer.swap(false, Ordering::SeqCst) {
            return Err(Error::Store(db::Error::InDoubt("the disk said nothing".into())));
        }
        Ok(accepted)
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        self.journal.append(append).await
    }

    async fn adopt(&self, owner: Uuid, orphans: Orphans) -> Result<Vec<Adopted>, Error> {
        self.journal.adopt(owner, orphans).await
    }

    async fn park(&self, id: Uuid, problem: &str) -> Result<bool, Error> {
        self.journal.park(id, problem).await
    }

    async fn load(&self, id: Uuid) -> Result<Option<Record>, Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.journal.load(id).await
    }

    async fn list(&self, query: &Query) -> Result<Vec<Record>, Error> {
        self.journal.list(query).await
    }

    async fn history(&self, id: Uuid, after: (i64, i64), limit: usize) -> Result<Vec<Entry>, Error> {
        self.journal.history(id, after, limit).await
    }

    async fn owned(&self, owner: Uuid, after: Option<Uuid>, limit: usize) -> Result<Vec<Uuid>, Error> {
        self.journal.owned(owner, after, limit).await
    }

    async fn statistics(&self, since_ms: i64) -> Result<Statistics, Error> {
        self.journal.statistics(since_ms).await
    }

    fn watch(&self, id: Uuid) -> watch::Receiver<Option<Arc<Record>>> {
        self.journal.watch(id)
    }
}
