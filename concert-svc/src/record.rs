//! What is written down of each change of a reservation, in the transaction of the change itself: a row of its history,
//! and the event that tells others. All changes go through here, whoever makes them.

use service_kit::db::Tx;
use service_kit::outbox::Event;
use uuid::Uuid;

use crate::announce::{self, OUTBOX};
use crate::reservation::Reservation;
use crate::state::ReservationState;
use crate::store::{self, Statement};

/// On whose word a reservation changes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// "customers/{uuid}", or one of the names below.
    pub(crate) actor: String,
    /// Of the call or the step.
    pub(crate) request_id: Option<Uuid>,
    pub(crate) saga: Option<Uuid>,
    /// In a word, where the new state does not say it.
    pub(crate) reason: &'static str,
    /// The place in the waiting room that came with a hold, if any.
    pub(crate) queue_token: String,
    /// Whether events tell of holds and of their lapse.
    pub(crate) announces_holds: bool,
}

/// Time alone, noted by whoever saw it first.
const TIME: &str = "time";
/// The orchestrator, on a saga's behalf.
const ORCHESTRATOR: &str = "orchestrator";
/// Somebody of the house.
const OPERATOR: &str = "operator";

impl Cause {
    /// A hold's time is over.
    pub(crate) fn time(announces_holds: bool) -> Self {
        Self::of(TIME.to_owned(), announces_holds)
    }

    /// A customer says so, or an operator when there is none.
    pub(crate) fn word_of(customer: Option<Uuid>, announces_holds: bool) -> Self {
        let actor = customer.map_or_else(|| OPERATOR.to_owned(), |id| format!("customers/{id}"));
        Self::of(actor, announces_holds)
    }

    /// A saga takes its course.
    pub(crate) fn saga(announces_holds: bool) -> Self {
        Self::of(ORCHESTRATOR.to_owned(), announces_holds)
    }

    fn of(actor: String, announces_holds: bool) -> Self {
        Self { actor, request_id: None, saga: None, reason: "", queue_token: String::new(), announces_holds }
    }
}

/// One change, to be written with it.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    /// As it is after the change.
    pub(crate) reservation: &'a Reservation,
    /// None when it is new.
    pub(crate) from: Option<ReservationState>,
    /// Of the reservation, after the change.
    pub(crate) version: i64,
    pub(crate) cause: &'a Cause,
    pub(crate) time: i64,
    event: Option<(i64, Event)>,
}

impl<'a> Record<'a> {
    /// Of a reservation that has come from a state to its own, and so to that version.
    pub(crate) fn new(
        tx: &mut Tx<'_>,
        reservation: &'a Reservation,
        (from, version): (Option<ReservationState>, i64),
        cause: &'a Cause,
    ) -> Self {
        let time = tx.now_ms();
        let draft = announce::draft(reservation, (from, version), cause);
        let event = draft.map(|draft| OUTBOX.event(tx, draft));
        let event = event.map(|event| (cause.saga.map_or(0, |saga| tx.bucket(saga)), event));
        Self { reservation, from, version, cause, time, event }
    }

    /// The statements that write it down. They travel with those of the change.
    pub(crate) fn statements(&self) -> Vec<Statement<'_>> {
        let event = self.event.as_ref().map(|(bucket, event)| announce::insertion(*bucket, event));
        std::iter::once(store::insert_transition(self)).chain(event).collect()
    }
}
