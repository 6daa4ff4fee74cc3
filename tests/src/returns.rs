//! Tickets that are given back.

use proto::concert::v1 as concert;
use proto::concert::v1::ticket::State as TicketState;
use proto::orchestrator::v1::checkout::State;
use proto::orchestrator::v1::{Cancellation, CreateCancellationRequest, GetCancellationRequest};
use service_kit::wire::duration;
use tonic::{Response, Status};

use crate::{Held, World};

impl World {
    /// A customer who has bought a seat, and has as many points left as it cost.
    pub async fn bought(&self, seat: usize) -> Held {
        let held = self.held(seat).await;
        assert_eq!(self.buy(&held).await.state(), State::Completed);
        held
    }

    /// What a customer sends to give back what he has bought.
    pub fn give_back(&self, bought: &Held) -> CreateCancellationRequest {
        let cancellation = Cancellation {
            customer: bought.customer.clone(),
            reservation: bought.reservation.clone(),
            ..Default::default()
        };
        CreateCancellationRequest {
            cancellation: Some(cancellation),
            wait: Some(duration(30_000)),
            request_id: self.id().to_string(),
            ..Default::default()
        }
    }

    /// Sends it.
    pub async fn ask_back(&self, request: CreateCancellationRequest) -> Result<Cancellation, Status> {
        self.checkouts().create_cancellation(request).await.map(Response::into_inner)
    }

    /// Gives back, and waits until all is over.
    pub async fn cancel(&self, bought: &Held) -> Cancellation {
        let cancellation = self.ask_back(self.give_back(bought)).await.expect("the request is accepted");
        self.settle().await;
        self.cancellation(&cancellation.name).await
    }

    /// A cancellation as it stands.
    pub async fn cancellation(&self, name: &str) -> Cancellation {
        let request = GetCancellationRequest { name: name.into() };
        self.checkouts().get_cancellation(request).await.expect("the cancellation is there").into_inner()
    }

    /// The states of a reservation's tickets.
    pub async fn tickets(&self, reservation: &str) -> Vec<TicketState> {
        let request = concert::ListTicketsRequest { parent: reservation.into(), ..Default::default() };
        let tickets = self.reservations().list_tickets(request).await.expect("the tickets are there").into_inner();
        tickets.tickets.iter().map(concert::Ticket::state).collect()
    }
}
