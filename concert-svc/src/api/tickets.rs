//! Tickets: shown to their owner, and checked in at the door.

use proto::concert::v1 as pb;
use service_kit::db::Tx;
use service_kit::idempotency::Call;
use service_kit::page;
use service_kit::refusal::Fault;

use super::{Api, IDEMPOTENCY};
use crate::record::Cause;
use crate::wire::{self, listing, tickets};
use crate::{check_in, not_found, store};

/// What the history of a reservation says of a check-in, which leaves it in its state.
const CHECKED_IN: &str = "TICKET_CHECKED_IN";

impl Api {
    pub(super) async fn get_ticket(&self, name: &str) -> Result<pb::Ticket, Fault> {
        let (reservation, id) = wire::ticket_name("name", name)?;
        let read = async move |tx: &mut Tx<'_>| {
            let missing = || not_found::ticket(reservation, id);
            let sold = store::reservation(tx, reservation).await?.ok_or_else(missing)?;
            let ticket = store::ticket(tx, reservation, id).await?.ok_or_else(missing)?;
            Ok::<_, Fault>(tickets::ticket(&sold, &ticket))
        };
        self.0.host.db.read(read).await
    }

    pub(super) async fn check_in_ticket(&self, request: &pb::CheckInTicketRequest) -> Result<pb::Ticket, Fault> {
        let request_id = wire::request_id(&request.request_id)?;
        let call = Call::new("CheckInTicket", request_id, request);
        let ticket = wire::ticket_name("name", &request.name)?;
        let cause = Cause { request_id, reason: CHECKED_IN, ..self.word_of(None) };
        let work = async move |tx: &mut Tx<'_>| {
            let check_in = async move |tx: &mut Tx<'_>| {
                let (sold, ticket) = check_in::check_in(tx, ticket, &cause).await?;
                Ok(tickets::ticket(&sold, &ticket))
            };
            IDEMPOTENCY.once(tx, &call, check_in).await
        };
        self.0.host.db.write(work).await
    }

    pub(super) async fn list_tickets(
        &self,
        request: &pb::ListTicketsRequest,
    ) -> Result<pb::ListTicketsResponse, Fault> {
        let id = wire::reservation_name("parent", &request.parent)?;
        let size = page::size(request.page_size)?;
        let after = listing::after_seat(&request.page_token)?;
        let read = async move |tx: &mut Tx<'_>| {
            let found = store::reservation(tx, id).await?;
            let found = found.ok_or_else(|| not_found::reservation(id))?;
            Ok::<_, Fault>((found, store::tickets(tx, id, &after, page::limit(size)).await?))
        };
        let (sold, rows) = self.0.host.db.read(read).await?;
        let (tickets, next_page_token) = page::cut(rows, size, |ticket| ticket.seat.clone());
        let tickets = tickets.iter().map(|ticket| tickets::ticket(&sold, ticket)).collect();
        Ok(pb::ListTicketsResponse { tickets, next_page_token })
    }
}
