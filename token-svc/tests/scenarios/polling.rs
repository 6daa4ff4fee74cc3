//! Who polls more often than told is turned away before anything is looked up.

use proto::token::v1::GetQueueTokenRequest;
use token_svc::Config;
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::world::{World, config, refusal, refused, small_room};

#[tokio::test]
async fn one_who_polls_ten_times_a_second_gets_through_as_often_as_told_and_its_neighbour_always() {
    let world = World::configured(Config { poll_burst: 5, ..config() }).await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 10).await;
    let poll =
        async |token: &str| world.tokens.clone().get_queue_token(GetQueueTokenRequest { name: token.into() }).await;
    let (mut through, mut told) = (0, 0);
    for tenth in 0..600 {
        match poll(&tokens[9]).await {
            Ok(_) => through += 1,
            Err(status) => {
                let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
                assert!(delay.as_millis() <= 2_000);
                assert_eq!(refusal::<()>(Err(status)), refused(Code::ResourceExhausted, "POLL_TOO_FAST"));
                told += 1;
            }
        }
        if tenth % 20 == 0 {
            poll(&tokens[8]).await.unwrap();
        }
        world.clock.advance(100);
    }
    assert!((30..=37).contains(&through), "{through} of 600 in a minute, {told} turned away");
}
