//! A gift: points of one customer become another's.

use orchestrator::journal::Record;
use orchestrator::plans::{Announced, Ask, Definition, Read, Reply, input};
use orchestrator::runner::NewSaga;
use prost::Message as _;
use proto::customer::v1 as customer;
use proto::customer::v1::point_transaction::Kind;
use saga::{Announcement, Direction, Plan, StepIndex, retriable, step};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(super) const PLAN: Plan = Plan::new(
    "gift",
    1,
    &[
        step("reserve-points", "customer/ReservePoints", "customer/ReleasePoints"),
        retriable("capture-points", "customer/CapturePoints"),
        retriable("credit-points", "customer/CreditPoints"),
    ],
);

const RESERVE: StepIndex = StepIndex(0);
const CAPTURE: StepIndex = StepIndex(1);
const CREDIT: StepIndex = StepIndex(2);

/// Where points are that have left their giver.
const ON_THEIR_WAY: &str = "clearing/gifts";

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Input {
    pub(super) giver: String,
    pub(super) receiver: String,
    pub(super) amount: i64,
}

/// The gift that a giver asks for; the same request id always means the same one.
pub(super) fn order(request_id: Uuid, input: &Input) -> NewSaga {
    NewSaga::new(&Gift, &input.giver, request_id, input)
}

#[derive(Debug)]
pub(super) struct Gift;

impl Definition for Gift {
    fn plan(&self) -> &'static Plan {
        &PLAN
    }

    fn request(&self, ask: Ask<'_>) -> Result<Vec<u8>, String> {
        let (saga, request_id) = (ask.saga(), ask.request_id());
        let Input { giver, receiver, amount } = ask.input()?;
        Ok(match (ask.direction, ask.step) {
            (Direction::Forward, RESERVE) => {
                customer::ReservePointsRequest { customer: giver, saga, amount, request_id }.encode_to_vec()
            }
            (Direction::Compensation, RESERVE) => {
                customer::ReleasePointsRequest { customer: giver, saga, request_id }.encode_to_vec()
            }
            (Direction::Forward, CAPTURE) => {
                let credit_account = ON_THEIR_WAY.into();
                customer::CapturePointsRequest { customer: giver, saga, credit_account, request_id }.encode_to_vec()
            }
            (Direction::Forward, CREDIT) => customer::CreditPointsRequest {
                customer: receiver,
                saga,
                amount,
                kind: Kind::Charge.into(),
                debit_account: ON_THEIR_WAY.into(),
                request_id,
                ..Default::default()
            }
            .encode_to_vec(),
            _ => return ask.unknown(),
        })
    }

    fn reply(&self, read: Read<'_>) -> Result<Reply, String> {
        let Input { amount, .. } = input(read.record)?;
        match (read.direction, read.step) {
            (Direction::Forward, RESERVE) => {
                read.moved::<customer::ReservePointsResponse>(amount, |r| (&r.saga, r.amount))
            }
            (Direction::Compensation, RESERVE) => read.echoed::<customer::ReleasePointsResponse>(|r| &r.saga),
            (Direction::Forward, CAPTURE) => {
                read.moved::<customer::CapturePointsResponse>(amount, |r| (&r.saga, r.amount))
            }
            (Direction::Forward, CREDIT) => {
                read.moved::<customer::CreditPointsResponse>(amount, |r| (&r.saga, r.amount))
            }
            _ => read.unknown(),
        }
    }

    fn event(&self, record: &Record, announcement: Announcement) -> Option<Announced> {
        let kind = match announcement {
            Announcement::Completed => "ticketing.gift.completed.v1",
            Announcement::Compensated => "ticketing.gift.failed.v1",
            Announcement::Suspended | Announcement::Resumed | Announcement::Alarm(_) => return None,
        };
        let gift = format!("gifts/{}", record.id);
        let Input { receiver, amount, .. } = input(record).ok()?;
        let data = GiftEnded { gift: gift.clone(), giver: record.subject.clone(), receiver, amount };
        Some(Announced { kind, aggregate: gift, data: data.encode_to_vec() })
    }
}

/// What the world hears; in earnest a message of `event.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct GiftEnded {
    #[prost(string, tag = "1")]
    gift: String,
    #[prost(string, tag = "2")]
    giver: String,
    #[prost(string, tag = "3")]
    receiver: String,
    #[prost(int64, tag = "4")]
    amount: i64,
}
