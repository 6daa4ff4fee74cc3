//! What each service states about the sagas that touched it, read page by page, each service within one snapshot.

use std::collections::BTreeMap;

use concert_svc::verify::ReservationFact;
use customer_svc::verify::PointReservation;
use orchestrator::verify::{CheckoutFact, Course};
use payment_svc::verify::Payment;
use service_kit::db::{self, Tx};
use token_svc::verify::CompletedToken;
use uuid::Uuid;

use super::Books;

/// Rows in one page.
const PAGE: i64 = 2000;

/// All facts, by the saga that they concern; reservations by their own id.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) checkouts: BTreeMap<Uuid, CheckoutFact>,
    pub(super) reservations: BTreeMap<Uuid, ReservationFact>,
    pub(super) points: BTreeMap<Uuid, PointReservation>,
    pub(super) payments: BTreeMap<Uuid, Payment>,
    pub(super) tokens: BTreeMap<Uuid, CompletedToken>,
    /// Revenue by account, as the ledger has it.
    pub(super) revenue: BTreeMap<String, i64>,
    /// What was captured of payments with points.
    pub(super) captured: i64,
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
    pub(super) async fn read(books: &Books) -> Result<Self, db::Error> {
        let mut facts = Self {
            reservations: pages!(books.concert, concert_svc::verify::reservations, id),
            points: pages!(books.customer, customer_svc::verify::point_reservations, saga),
            payments: pages!(books.payment, payment_svc::verify::payments, saga),
            tokens: pages!(books.token, token_svc::verify::completed_tokens, saga),
            revenue: books.customer.read(customer_svc::verify::points_used).await?.into_iter().collect(),
            captured: books.payment.read(payment_svc::verify::points_captured).await?,
            checkouts: BTreeMap::new(),
        };
        for db in &books.orchestrator {
            facts.checkouts.extend(pages!(db, orchestrator::verify::checkouts, id));
        }
        Ok(facts)
    }

    /// How many checkouts have not ended.
    pub(super) fn open(&self) -> usize {
        let ended = |checkout: &&CheckoutFact| matches!(checkout.course, Course::Completed | Course::Compensated);
        self.checkouts.len() - self.checkouts.values().filter(ended).count()
    }

    /// The reservation that a checkout is about.
    pub(super) fn reservation_of(&self, checkout: &CheckoutFact) -> Option<&ReservationFact> {
        let id = checkout.reservation.strip_prefix("reservations/")?;
        self.reservations.get(&Uuid::try_parse(id).ok()?)
    }
}
