//! What `ticketing.token.v1` accepts.

use crate::world::NOW_MS;
use proto::token::v1 as pb;
use service_kit::wire::{duration, timestamp};

use super::{DAY_MS, Stage, encode};

/// What an update of a waiting room may name.
const UPDATABLE: [&str; 10] = [
    "ordering",
    "prequeue_open_time",
    "open_time",
    "close_time",
    "max_active_tokens",
    "admissions_per_second",
    "active_ttl",
    "claim_ttl",
    "max_active_lifetime",
    "max_waiting",
];

impl Stage {
    pub(super) fn rooms(&self, method: &str) -> Option<Vec<u8>> {
        let (name, reason) = (self.room.clone(), "a fire alarm".to_owned());
        match method {
            "CreateWaitingRoom" => encode(&pb::CreateWaitingRoomRequest {
                waiting_room: Some(new_room(NOW_MS + DAY_MS)),
                waiting_room_id: self.request_id(),
                request_id: self.request_id(),
            }),
            "GetWaitingRoom" => encode(&pb::GetWaitingRoomRequest { name }),
            "ListWaitingRooms" => encode(&pb::ListWaitingRoomsRequest { page_size: 1, ..Default::default() }),
            "UpdateWaitingRoom" => {
                let paths = UPDATABLE.into_iter().map(str::to_owned).collect();
                encode(&pb::UpdateWaitingRoomRequest {
                    waiting_room: Some(pb::WaitingRoom { name, ..new_room(NOW_MS - 1_000) }),
                    update_mask: Some(prost_types::FieldMask { paths }),
                })
            }
            "PauseWaitingRoom" => encode(&pb::PauseWaitingRoomRequest { name, reason }),
            "ResumeWaitingRoom" => encode(&pb::ResumeWaitingRoomRequest { name, reason }),
            "CloseWaitingRoom" => encode(&pb::CloseWaitingRoomRequest { name, reason }),
            "MarkSoldOut" => encode(&pb::MarkSoldOutRequest { name, reason }),
            "ClearSoldOut" => encode(&pb::ClearSoldOutRequest { name, reason }),
            "WatchWaitingRoom" => encode(&pb::WatchWaitingRoomRequest { name }),
            _ => None,
        }
    }

    pub(super) fn tokens(&self, method: &str) -> Option<Vec<u8>> {
        let (name, request_id) = (self.token.name.clone(), self.request_id());
        match method {
            "IssueQueueToken" => {
                let (parent, customer) = (self.room.clone(), self.token_customer.clone());
                encode(&pb::IssueQueueTokenRequest { parent, customer, request_id })
            }
            "GetQueueToken" => encode(&pb::GetQueueTokenRequest { name }),
            "LeaveWaitingRoom" => encode(&pb::LeaveWaitingRoomRequest { name }),
            "ValidateAdmissionPass" => {
                encode(&pb::ValidateAdmissionPassRequest { admission_pass: self.token.admission_pass.clone() })
            }
            "GetAdmissionKeys" => encode(&pb::GetAdmissionKeysRequest {}),
            "ExtendQueueToken" => {
                let min_expire_time = Some(timestamp(NOW_MS + 900_000));
                encode(&pb::ExtendQueueTokenRequest { name, min_expire_time })
            }
            "CompleteQueueToken" => encode(&pb::CompleteQueueTokenRequest {
                name,
                customer: self.token_customer.clone(),
                saga: self.saga.clone(),
                request_id,
            }),
            "RevokeQueueToken" => encode(&pb::RevokeQueueTokenRequest { name, reason: "a scalper".into() }),
            _ => None,
        }
    }
}

fn new_room(open_ms: i64) -> pb::WaitingRoom {
    pb::WaitingRoom {
        ordering: pb::waiting_room::Ordering::Fifo.into(),
        prequeue_open_time: Some(timestamp(open_ms - 1_000)),
        open_time: Some(timestamp(open_ms)),
        close_time: Some(timestamp(open_ms + DAY_MS)),
        max_active_tokens: 5,
        admissions_per_second: 2.5,
        active_ttl: Some(duration(60_000)),
        claim_ttl: Some(duration(30_000)),
        max_active_lifetime: Some(duration(120_000)),
        max_waiting: 100,
        ..Default::default()
    }
}
