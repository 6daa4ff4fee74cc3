//! What each service states about the sagas that touched it, read page by page, each service within one snapshot.

use std::collections::BTreeMap;

use concert_svc::verify::ReservationFact;
use customer_svc::verify::{ConcertSums, Credited, PointReservation};
use orchestrator::plans::checkout;
use orchestrator::verify::{Course, Past, SagaFact};
use payment_svc::deliver::verify::{Delivered, Paid};
use payment_svc::verify::{Payment, Refund};
use service_kit::db::{self, Db, Tx};
use service_kit::verify::{Operation, Written, operations, written};
use service_kit::{operations_of, written_by};
use token_svc::verify::{AdmittedToken, CompletedToken, RoomFact};
use uuid::Uuid;

use super::Books;

/// Rows in one page.
const PAGE: i64 = 2000;

/// All facts, by the saga that they concern; reservations by their own id.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) sagas: BTreeMap<Uuid, SagaFact>,
    pub(super) reservations: BTreeMap<Uuid, ReservationFact>,
    pub(super) points: BTreeMap<Uuid, PointReservation>,
    pub(super) payments: BTreeMap<Uuid, Payment>,
    pub(super) refunds: BTreeMap<Uuid, Refund>,
    pub(super) credits: BTreeMap<Uuid, Credited>,
    pub(super) tokens: BTreeMap<Uuid, CompletedToken>,
    /// Tokens that were ACTIVE at some time, by room and token.
    pub(super) admitted: BTreeMap<(Uuid, Uuid), AdmittedToken>,
    pub(super) rooms: BTreeMap<Uuid, RoomFact>,
    /// Word that a checkout has completed, on its way or gone, by its own id.
    pub(super) paid: BTreeMap<Uuid, Paid>,
    /// What the ledger has booked, for each concert that it has booked anything for.
    pub(super) concerts: BTreeMap<String, ConcertSums>,
    /// What was captured of payments with points, and given back of them.
    pub(super) captured: i64,
    pub(super) refunded: i64,
    /// Sagas that were accepted before it may be forgotten; 0 as long as none is.
    pub(super) forgotten_before: i64,
    /// The database's time when the sagas were read.
    pub(super) now_ms: i64,
    /// What sagas have intended, as far as it is not archived.
    pub(super) pasts: BTreeMap<Uuid, Past>,
    /// What participants have kept of the steps of each saga.
    pub(super) operations: BTreeMap<Uuid, Vec<(&'static str, Operation)>>,
    /// Whether everything has had time to come to an end. What follows is read only then.
    pub(super) is_at_rest: bool,
    /// The events of all outboxes, and what became of them at those who are told outside.
    pub(super) written: BTreeMap<Uuid, Written>,
    pub(super) delivered: BTreeMap<Uuid, Delivered>,
    /// What sinks have not taken, in words.
    pub(super) behind: Vec<String>,
}

/// Reads all pages of one kind of fact into a map.
macro_rules! pages {
    ($db:expr, $read:path, $key:ident) => {{
        let read = async |tx: &mut Tx<'_>| {
            let mut all = BTreeMap::new();
            let mut after = Uuid::nil();
            loop {
                let page = $read(tx, after, PAGE).await?;
                let Some(last) = page.last() else { break Ok::<_, db::Error>(all) };
                after = last.$key;
                all.extend(page.into_iter().map(|fact| (fact.$key, fact)));
            }
        };
        $db.read(read).await?
    }};
}

impl Facts {
    /// Effects first and sagas last, so that no effect seems to belong to nobody.
    pub(super) async fn read(books: &Books, is_at_rest: bool) -> Result<Self, db::Error> {
        let mut facts = Self {
            is_at_rest,
            operations: kept(books).await?,
            reservations: pages!(books.concert, concert_svc::verify::reservations, id),
            points: pages!(books.customer, customer_svc::verify::point_reservations, saga),
            payments: pages!(books.payment, payment_svc::verify::payments, saga),
            tokens: pages!(books.token, token_svc::verify::completed_tokens, saga),
            rooms: pages!(books.token, token_svc::verify::rooms, room),
            admitted: admitted(&books.token).await?,
            paid: pages!(books.payment, payment_svc::deliver::verify::paid, id),
            refunds: pages!(books.payment, payment_svc::verify::refunds, saga),
            credits: books.customer.read(customer_svc::verify::credits).await?,
            concerts: concerts(&books.customer).await?,
            captured: books.payment.read(payment_svc::verify::points_captured).await?,
            refunded: books.payment.read(payment_svc::verify::points_refunded).await?,
            ..Self::default()
        };
        for db in &books.orchestrator {
            let pasts = async |tx: &mut Tx<'_>| orchestrator::verify::pasts(tx).await;
            facts.pasts.extend(db.read(pasts).await?);
            facts.sagas.extend(pages!(db, orchestrator::verify::sagas, id));
            let forgotten_before = db.read(orchestrator::verify::forgotten_before).await?;
            facts.forgotten_before = facts.forgotten_before.max(forgotten_before);
            facts.now_ms = db.read(async |tx: &mut Tx<'_>| Ok::<_, db::Error>(tx.now_ms())).await?;
        }
        if is_at_rest {
            facts.written = all_written(books).await?;
            facts.delivered = pages!(books.payment, payment_svc::deliver::verify::delivered, id);
            for db in books.all() {
                facts.behind.extend(db.read(events_behind).await?);
            }
            facts.behind.sort();
            facts.behind.dedup();
        }
        Ok(facts)
    }

    /// The sagas of one kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&Uuid, &SagaFact)> {
        self.sagas.iter().filter(move |(_, saga)| saga.kind == kind)
    }

    /// Those of them on one course.
    pub(super) fn of_course(&self, kind: &str, course: Course) -> impl Iterator<Item = (&Uuid, &SagaFact)> {
        self.of_kind(kind).filter(move |(_, saga)| saga.course == course)
    }

    /// A saga, if it is of this kind.
    pub(super) fn find(&self, kind: &str, saga: Option<Uuid>) -> Option<&SagaFact> {
        self.sagas.get(&saga?).filter(|saga| saga.kind == kind)
    }

    /// Whether a saga that is not there may have been forgotten. Its id begins with the time of its request id, if that has
    /// one; a time that has not come yet is none.
    pub(super) fn may_be_forgotten(&self, saga: Uuid) -> bool {
        let ms = i64::try_from(saga.as_u128() >> 80).unwrap_or(i64::MAX);
        self.forgotten_before > 0 && (ms < self.forgotten_before || ms > self.now_ms)
    }

    /// How many checkouts there are.
    pub(super) fn checkouts(&self) -> usize {
        self.of_kind(checkout::KIND).count()
    }

    /// How many sagas have not ended.
    pub(super) fn open(&self) -> usize {
        let is_open = |saga: &&SagaFact| matches!(saga.course, Course::Open | Course::Completing);
        self.sagas.values().filter(is_open).count()
    }

    /// The reservation that a saga is about.
    pub(super) fn reservation_of(&self, saga: &SagaFact) -> Option<&ReservationFact> {
        let id = saga.reference.strip_prefix("reservations/")?;
        self.reservations.get(&Uuid::try_parse(id).ok()?)
    }
}

/// What participants have kept of steps, by saga.
async fn kept(books: &Books) -> Result<BTreeMap<Uuid, Vec<(&'static str, Operation)>>, db::Error> {
    let services = [
        ("concert", &books.concert, operations_of!("concert")),
        ("customer", &books.customer, operations_of!("customer")),
        ("payment", &books.payment, operations_of!("payment")),
        ("token", &books.token, operations_of!("token")),
    ];
    let mut kept: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (service, db, select) in services {
        let all = db.read(async move |tx: &mut Tx<'_>| operations(tx, select).await).await?;
        all.into_iter().for_each(|one| kept.entry(one.saga).or_default().push((service, one)));
    }
    Ok(kept)
}

/// The events of all outboxes, by their ids.
async fn all_written(books: &Books) -> Result<BTreeMap<Uuid, Written>, db::Error> {
    let own = books.orchestrator.iter().map(|db| (db, written_by!("orchestrator")));
    let services = [
        (&books.concert, written_by!("concert")),
        (&books.customer, written_by!("customer")),
        (&books.payment, written_by!("payment")),
        (&books.token, written_by!("token")),
    ];
    let mut all = BTreeMap::new();
    for (db, select) in services.into_iter().chain(own) {
        let events = db.read(async move |tx: &mut Tx<'_>| written(tx, select).await).await?;
        all.extend(events.into_iter().map(|event| (event.id, event)));
    }
    Ok(all)
}

/// What waits for a sink that was down, or was refused by one. There are such tables only where something is published.
async fn events_behind(tx: &mut Tx<'_>) -> Result<Vec<String>, db::Error> {
    const SELECT: &str = "select id, type || ' waits for ' || sink from event_queue union all \
        select id, type || ' was refused by ' || sink from event_dead order by 1, 2 limit 20";
    let seen = tx.fetch_one("select count(*) from skald_migration where service = 'events'", &[]).await;
    let (relays,): (i64,) = seen?;
    if relays == 0 {
        return Ok(Vec::new());
    }
    let behind: Vec<(Uuid, String)> = tx.fetch_all(SELECT, &[]).await?;
    Ok(behind.into_iter().map(|(id, problem)| format!("{id}: {problem}")).collect())
}

async fn admitted(db: &Db) -> Result<BTreeMap<(Uuid, Uuid), AdmittedToken>, db::Error> {
    let read = async |tx: &mut Tx<'_>| {
        let mut all = BTreeMap::new();
        let mut after = (Uuid::nil(), Uuid::nil());
        loop {
            let page = token_svc::verify::admitted_tokens(tx, after, PAGE).await?;
            let Some(last) = page.last() else { break Ok::<_, db::Error>(all) };
            after = (last.room, last.token);
            all.extend(page.into_iter().map(|token| ((token.room, token.token), token)));
        }
    };
    db.read(read).await
}

/// What was booked on accounts of concerts. Points are spent on nothing else by checkouts.
async fn concerts(db: &Db) -> Result<BTreeMap<String, ConcertSums>, db::Error> {
    let sums = db.read(customer_svc::verify::concert_sums).await?;
    let of_concerts = sums.into_iter().filter(|sums| sums.account.starts_with("revenue/"));
    Ok(of_concerts.map(|sums| (sums.account.clone(), sums)).collect())
}
