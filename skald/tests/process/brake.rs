//! Nobody is let into a sale in which checkouts are turned away.

use std::time::Duration;

use proto::customer::v1 as customer;
use proto::customer::v1::customer_service_client::CustomerServiceClient;
use proto::orchestrator::v1::checkout_service_client::CheckoutServiceClient;
use proto::orchestrator::v1::{Card, CreatePointChargeRequest, PointCharge};
use proto::payment::v1::payment::Method;
use proto::token::v1::queue_token::State;
use proto::token::v1::queue_token_service_client::QueueTokenServiceClient;
use proto::token::v1::waiting_room_service_client::WaitingRoomServiceClient;
use proto::token::v1::{
    CreateWaitingRoomRequest, GetQueueTokenRequest, GetWaitingRoomRequest, IssueQueueTokenRequest, QueueToken,
    WaitingRoom,
};
use service_kit::clock::{Clock as _, SystemClock};
use service_kit::ids::Ids;
use service_kit::wire::{duration, timestamp};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tonic::transport::Channel;

use crate::process::Skald;

/// Some rounds of admission, and of the look at how full the house is.
const ROUNDS: Duration = Duration::from_millis(3_500);

#[tokio::test]
async fn nobody_is_let_in_while_checkouts_are_turned_away() {
    let dir = tempfile::tempdir().unwrap();
    // A processor that takes calls and never answers keeps one saga open, and there may be one.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let processor = format!("payment.processor=http://{}", silent.local_addr().unwrap());
    let full = Skald::start(dir.path(), &["--set", "orchestrator.limits.sagas=1", "--set", &processor]).await;
    let channel = full.channel().await;
    charge(&channel).await;
    sleep(ROUNDS).await;
    let place = join(&channel).await;
    sleep(ROUNDS).await;
    assert_eq!(look(&channel, &place).await.state(), State::Waiting);
    let request = GetWaitingRoomRequest { name: place.name.split("/queueTokens").next().unwrap().to_owned() };
    let room = WaitingRoomServiceClient::new(channel).get_waiting_room(request).await.unwrap().into_inner();
    assert_eq!((room.waiting_count, room.admitted_through), (1, 0));
    full.terminate().await;

    let roomy = Skald::start(dir.path(), &[]).await;
    let channel = roomy.channel().await;
    while look(&channel, &place).await.state() != State::Active {
        sleep(Duration::from_millis(1_100)).await;
    }
}

/// Begins a saga that does not end.
async fn charge(channel: &Channel) {
    let wanted = customer::Customer { display_name: "Kim".into(), ..Default::default() };
    let request = customer::CreateCustomerRequest { customer: Some(wanted), ..Default::default() };
    let created = CustomerServiceClient::new(channel.clone()).create_customer(request).await.unwrap().into_inner();
    let request = CreatePointChargeRequest {
        point_charge: Some(PointCharge {
            customer: created.name,
            amount: 10_000,
            payment_method: Method::Card.into(),
            ..Default::default()
        }),
        wait: Some(duration(0)),
        card: Some(Card { processor_token: "tok_1".into(), last_four: "4242".into() }),
        request_id: Ids::seeded(2).next(SystemClock.now_ms()).to_string(),
    };
    CheckoutServiceClient::new(channel.clone()).create_point_charge(request).await.unwrap();
}

/// Opens a room and takes the first place.
async fn join(channel: &Channel) -> QueueToken {
    let wanted = WaitingRoom {
        open_time: Some(timestamp(SystemClock.now_ms() - 1_000)),
        max_active_tokens: 10,
        admissions_per_second: 10.0,
        ..Default::default()
    };
    let request = CreateWaitingRoomRequest { waiting_room: Some(wanted), ..Default::default() };
    let room = WaitingRoomServiceClient::new(channel.clone()).create_waiting_room(request).await.unwrap().into_inner();
    let customer = format!("customers/{}", Ids::seeded(1).next(SystemClock.now_ms()));
    let request = IssueQueueTokenRequest { parent: room.name, customer, request_id: String::new() };
    QueueTokenServiceClient::new(channel.clone()).issue_queue_token(request).await.unwrap().into_inner()
}

async fn look(channel: &Channel, place: &QueueToken) -> QueueToken {
    let request = GetQueueTokenRequest { name: place.name.clone() };
    QueueTokenServiceClient::new(channel.clone()).get_queue_token(request).await.unwrap().into_inner()
}
