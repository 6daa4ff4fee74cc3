//! What customers and operators do with tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use proto::token::v1::queue_token::State;
use proto::token::v1::{
    GetQueueTokenRequest, IssueQueueTokenRequest, LeaveWaitingRoomRequest, RevokeQueueTokenRequest, WaitingRoom,
};
use service_kit::clock::ManualClock;
use service_kit::wire::{millis, timestamp};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::world::{T0, World, counts_in_tables, customer_name, refusal, refused, small_room};

#[tokio::test]
async fn a_customer_has_one_live_token_and_gets_it_again() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let first = world.issue(&room, 1).await.unwrap();
    world.issue(&room, 2).await.unwrap();
    assert_eq!(world.issue(&room, 1).await.unwrap().name, first.name);

    world.tick(1).await;
    let inside = world.poll(&first.name).await;
    assert_eq!(world.issue(&room, 1).await.unwrap(), inside);
    assert_eq!(world.room(&room).await.issued_count, 2);
    world.verify().await;
}

#[tokio::test]
async fn who_has_left_or_was_too_late_queues_again_at_the_end() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 2).await;
    world.leave(&tokens[0]).await;
    assert_eq!(world.issue(&room, 1).await.unwrap().sequence, Some(3));

    world.tick(1).await;
    world.clock.advance(60_000);
    assert_eq!(world.issue(&room, 2).await.unwrap().sequence, Some(4));
    assert_eq!(world.states(&tokens).await, "LE");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_customers_at_once_get_a_thousand_places() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(T0));
    let db = testbed::threaded(directory.path(), clock.clone()).await;
    let world = World::over(db, clock).await;
    let room = world.open(small_room()).await;
    let mut calls = tokio::task::JoinSet::new();
    for customer in 0..2_000_u128 {
        let (parent, customer) = (room.clone(), customer_name(customer / 2));
        let request = IssueQueueTokenRequest { parent, customer, request_id: String::new() };
        let mut client = world.tokens.clone();
        calls.spawn(async move { client.issue_queue_token(request).await.unwrap().into_inner() });
    }
    let issued = calls.join_all().await;
    let sequences: BTreeSet<_> = issued.iter().filter_map(|token| token.sequence).collect();
    assert_eq!(sequences.len(), 1_000);
    // Elsewhere a sequence may be let go of when a customer asks twice at once; nobody has heard of it.
    assert!(sequences.into_iter().eq(1..=1_000) || !counts_in_tables());
    let customers: BTreeSet<_> = issued.iter().map(|token| (&token.customer, &token.name)).collect();
    assert_eq!(customers.len(), 1_000);
    world.verify().await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_and_another_one_none() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let issue = async |customer: u128| {
        let (parent, customer) = (room.clone(), customer_name(customer));
        let request_id = Uuid::from_u128(9).into();
        let request = IssueQueueTokenRequest { parent, customer, request_id };
        world.tokens.clone().issue_queue_token(request).await.map(tonic::Response::into_inner)
    };
    let first = issue(1).await.unwrap();
    world.leave(&first.name).await;
    assert_eq!(issue(1).await.unwrap(), first);
    assert_eq!(refusal(issue(2).await), refused(Code::InvalidArgument, "REQUEST_ID_REUSED"));
    assert_eq!(world.room(&room).await.waiting_count, 0);
}

#[tokio::test]
async fn a_waiting_customer_sees_where_he_stands_and_asks_the_seldomer_the_farther_he_is() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    world.join(&room, 2_000).await;
    let at = async |customer: u128| {
        let token = world.issue(&room, customer).await.unwrap();
        let seconds = |length: Option<prost_types::Duration>| length.unwrap().seconds;
        (token.ahead_count, token.behind_count, seconds(token.estimated_wait), seconds(token.poll_interval))
    };
    assert_eq!(at(1).await, (0, 1_999, 0, 2));
    assert_eq!(at(100).await, (99, 1_900, 50, 5));
    assert_eq!(at(2_000).await, (1_999, 0, 1_000, 60));
    world.tick(2).await;
    assert_eq!(at(100).await, (95, 1_900, 48, 4));
}

#[tokio::test]
async fn a_full_room_says_when_to_try_again() {
    let world = World::new().await;
    let room = world.open(WaitingRoom { max_waiting: 2, ..small_room() }).await;
    let tokens = world.join(&room, 2).await;
    let full = world.issue(&room, 3).await;
    assert!(full.as_ref().unwrap_err().get_details_retry_info().is_some());
    assert_eq!(refusal(full), refused(Code::ResourceExhausted, "WAITING_ROOM_FULL"));
    assert!(world.issue(&room, 1).await.is_ok());

    world.leave(&tokens[0]).await;
    assert!(world.issue(&room, 3).await.is_ok());
    assert!(world.issue(&room, 4).await.is_err());
    world.tick(1).await;
    assert!(world.issue(&room, 4).await.is_ok());
    world.verify().await;
}

#[tokio::test]
async fn leaving_frees_the_place_once_and_is_no_fault_afterwards() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 3).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens[..1]).await, "A");
    for _ in 0..2 {
        for token in &tokens {
            assert_eq!(world.leave(token).await.state(), State::Left);
        }
    }
    assert_eq!(world.room(&room).await.active_count, 0);
    world.verify().await;
}

#[tokio::test]
async fn an_extension_is_capped_by_the_lifetime_and_never_shortens() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 1).await;
    world.tick(1).await;
    let activated = millis(world.poll(&tokens[0]).await.activate_time.unwrap());
    assert_eq!(activated, T0 + 1_000);
    let until = async |ms| millis(world.extend(&tokens[0], activated + ms).await.unwrap().expire_time.unwrap());
    assert_eq!(until(0).await, activated + 600_000);
    assert_eq!(until(700_000).await, activated + 700_000);
    assert_eq!(until(650_000).await, activated + 700_000);
    assert_eq!(until(9_000_000).await, activated + 1_800_000);

    world.clock.advance(1_799_999);
    assert_eq!(world.states(&tokens).await, "A");
    world.clock.advance(1);
    assert_eq!(world.states(&tokens).await, "E");
    world.verify().await;
}

#[tokio::test]
async fn only_an_active_token_is_extended() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 3).await;
    world.tick(1).await;
    world.states(&tokens[..1]).await;
    world.clock.advance(600_000);
    world.leave(&tokens[2]).await;
    for token in &tokens {
        let answer = world.extend(token, T0 + 2_000_000).await;
        assert_eq!(refusal(answer), refused(Code::FailedPrecondition, "QUEUE_TOKEN_NOT_ACTIVE"));
    }
}

#[tokio::test]
async fn any_token_can_be_revoked_and_frees_its_place() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 5).await;
    world.tick(1).await;
    assert_eq!(world.states(&tokens[..1]).await, "A");
    world.complete(&tokens[3], 1).await.unwrap();
    world.leave(&tokens[4]).await;
    for _ in 0..2 {
        for token in &tokens {
            let revoked = world.revoke(token).await;
            assert_eq!((revoked.state(), revoked.admission_pass.as_str()), (State::Revoked, ""));
        }
    }
    assert_eq!(world.room(&room).await.active_count, 0);
    world.verify().await;
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let nobody = format!("{room}/queueTokens/{}", Uuid::from_u128(7));
    let nowhere = format!("waitingRooms/{}", Uuid::from_u128(7));
    let missing = refused(Code::NotFound, "QUEUE_TOKEN_NOT_FOUND");
    let (name, reason) = (nobody.clone(), "a bot".to_owned());
    let mut tokens = world.tokens.clone();
    assert_eq!(refusal(tokens.get_queue_token(GetQueueTokenRequest { name: name.clone() }).await), missing);
    assert_eq!(refusal(tokens.leave_waiting_room(LeaveWaitingRoomRequest { name: name.clone() }).await), missing);
    assert_eq!(refusal(tokens.revoke_queue_token(RevokeQueueTokenRequest { name, reason }).await), missing);
    assert_eq!(refusal(world.extend(&nobody, T0).await), missing);
    assert_eq!(refusal(world.issue(&nowhere, 1).await), refused(Code::NotFound, "WAITING_ROOM_NOT_FOUND"));
}

#[tokio::test]
async fn a_malformed_request_names_its_field_and_changes_nothing() {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let token = world.join(&room, 1).await.remove(0);
    let before = world.host.db.stats().units;
    let mut tokens = world.tokens.clone();
    let field = |status: tonic::Status| {
        assert_eq!(status.code(), Code::InvalidArgument);
        status.get_details_bad_request().unwrap().field_violations[0].field.clone()
    };
    for name in ["", "waitingRooms", "waitingRooms/1/queueTokens/2", &room, &format!("{token}/x"), &"x".repeat(9_000)] {
        let request = GetQueueTokenRequest { name: name.to_owned() };
        assert_eq!(field(tokens.get_queue_token(request).await.unwrap_err()), "name");
    }
    let issue = |parent: &str, customer: &str, request_id: &str| {
        let (parent, customer) = (parent.to_owned(), customer.to_owned());
        IssueQueueTokenRequest { parent, customer, request_id: request_id.to_owned() }
    };
    let customer = customer_name(1);
    for (request, wrong) in [
        (issue("", &customer, ""), "parent"),
        (issue(&room, "1", ""), "customer"),
        (issue(&room, &customer, "1"), "request_id"),
    ] {
        assert_eq!(field(tokens.issue_queue_token(request).await.unwrap_err()), wrong);
    }
    for reason in [String::new(), "x".repeat(501), "a\0b".into()] {
        let request = RevokeQueueTokenRequest { name: token.clone(), reason };
        assert_eq!(field(tokens.revoke_queue_token(request).await.unwrap_err()), "reason");
    }
    let never = proto::token::v1::ExtendQueueTokenRequest { name: token, min_expire_time: None };
    assert_eq!(field(tokens.extend_queue_token(never.clone()).await.unwrap_err()), "min_expire_time");
    let beyond = Some(prost_types::Timestamp { seconds: i64::MAX, ..timestamp(0) });
    let beyond = proto::token::v1::ExtendQueueTokenRequest { min_expire_time: beyond, ..never };
    assert_eq!(field(tokens.extend_queue_token(beyond).await.unwrap_err()), "min_expire_time");
    assert_eq!(world.host.db.stats().units, before);
}
