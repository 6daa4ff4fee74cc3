//! Waiting rooms, and those who come in.

use std::time::Duration;

use orchestrator::participants::Participant;
use proto::token::v1 as token;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use service_kit::wire::timestamp;

use crate::World;
use crate::world::NOW_MS;

impl World {
    /// Opens a waiting room in which nobody waits for long: `waitingRooms/{uuid}`.
    pub async fn open_room(&self) -> String {
        let wanted = token::WaitingRoom {
            open_time: Some(timestamp(NOW_MS - 1000)),
            max_active_tokens: 10,
            admissions_per_second: 10.0,
            ..Default::default()
        };
        let request = token::CreateWaitingRoomRequest { waiting_room: Some(wanted), ..Default::default() };
        self.rooms().create_waiting_room(request).await.expect("a room opens").into_inner().name
    }

    /// Has a customer wait for his turn, and returns his place, which is ACTIVE.
    pub async fn admit(&self, room: &str, customer: &str) -> token::QueueToken {
        let request =
            token::IssueQueueTokenRequest { parent: room.into(), customer: customer.into(), request_id: String::new() };
        let mut tokens = QueueTokenServiceClient::new(self.server("ticketing.token.v1"));
        let issued = tokens.issue_queue_token(request).await.expect("there is a place").into_inner();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let request = token::GetQueueTokenRequest { name: issued.name };
        let active = tokens.get_queue_token(request).await.expect("it is his turn").into_inner();
        assert!(!active.admission_pass.is_empty(), "{active:?}");
        active
    }

    /// A client of the waiting rooms.
    pub fn rooms(&self) -> WaitingRoomServiceClient<Participant> {
        WaitingRoomServiceClient::new(self.server("ticketing.token.v1"))
    }
}
