//! The step of a checkout that ends its customer's token.

use proto::token::v1::queue_token::State;
use token_svc::verify::{TokenState, completed_tokens};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::world::{World, completion, customer_name, refusal, refused, small_room};

#[tokio::test]
async fn a_live_token_is_completed_and_an_ended_one_stays_as_it_is() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 7).await;
    world.tick(2).await;
    assert_eq!(world.states(&tokens[..1]).await, "A");
    world.clock.advance(60_000);
    assert_eq!(world.states(&tokens[3..4]).await, "E");
    world.leave(&tokens[4]).await;
    world.revoke(&tokens[5]).await;

    let mut states = Vec::new();
    for (saga, token) in (10..).step_by(10).zip(&tokens) {
        let answer = world.complete(token, saga).await.unwrap();
        assert_eq!(answer.saga, format!("sagas/{}", Uuid::from_u128(saga)));
        let token = answer.queue_token.unwrap();
        assert_eq!(token.admission_pass, "");
        states.push(token.state());
    }
    use State::{Completed, Expired, Left, Revoked};
    assert_eq!(states, [Completed, Completed, Completed, Expired, Left, Revoked, Completed]);
    assert_eq!(world.room(&room).await.active_count, 0);
    world.verify().await;
}

#[tokio::test]
async fn a_completion_that_comes_again_gets_the_first_answer_and_frees_no_second_place() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 2).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens).await, "AA");
    let first = world.complete(&tokens[0], 1).await.unwrap();
    world.revoke(&tokens[0]).await;
    assert_eq!(world.complete(&tokens[0], 1).await.unwrap(), first);
    assert_eq!(world.complete(&tokens[0], 2).await.unwrap().queue_token.unwrap().state(), State::Revoked);
    assert_eq!(world.room(&room).await.active_count, 1);
    world.verify().await;
}

#[tokio::test]
async fn a_token_that_never_was_does_not_hold_a_paid_checkout_up() {
    let world = World::new().await;
    let unknown = format!("waitingRooms/{}/queueTokens/{}", Uuid::from_u128(1), Uuid::from_u128(2));
    let answer = world.complete(&unknown, 3).await.unwrap();
    assert_eq!((answer.amount, answer.queue_token), (0, None));
}

#[tokio::test]
async fn somebody_elses_token_is_left_alone() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 2).await;
    let request = completion(&tokens[0], &customer_name(2), 1);
    let answer = world.tokens.clone().complete_queue_token(request).await.unwrap().into_inner();
    assert_eq!(answer.queue_token, None);
    assert_eq!(world.states(&tokens).await, "WW");
}

#[tokio::test]
async fn a_step_without_its_metadata_changes_nothing() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 1).await;
    for key in ["saga-step", "saga-epoch"] {
        let mut request = completion(&tokens[0], &customer_name(1), 1);
        request.metadata_mut().remove(key);
        let status = world.tokens.clone().complete_queue_token(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, key);
    }
    assert_eq!(world.states(&tokens).await, "W");
}

#[tokio::test]
async fn one_step_cannot_complete_two_tokens() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 2).await;
    world.complete(&tokens[0], 1).await.unwrap();
    assert_eq!(refusal(world.complete(&tokens[1], 1).await), refused(Code::InvalidArgument, "REQUEST_ID_REUSED"));
    assert_eq!(world.states(&tokens).await, "CW");
}

#[tokio::test]
async fn a_verifier_reads_which_saga_completed_which_token_page_by_page() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 3).await;
    for (saga, token) in [30, 10, 20].into_iter().zip(&tokens) {
        world.complete(token, saga).await.unwrap();
    }
    world.revoke(&tokens[0]).await;
    let page = async |after: u128| {
        let after = Uuid::from_u128(after);
        let read = world.host.db.read(async move |tx| completed_tokens(tx, after, 2).await);
        let found = read.await.unwrap();
        found.into_iter().map(|token| (token.saga.as_u128(), token.state)).collect::<Vec<_>>()
    };
    assert_eq!(page(0).await, [(10, TokenState::Completed), (20, TokenState::Completed)]);
    assert_eq!(page(20).await, [(30, TokenState::Revoked)]);
    assert_eq!(page(30).await, []);
}
