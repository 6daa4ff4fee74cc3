//! What a pass says, and how long it counts.

use proto::token::v1 as pb;
use service_kit::pass::{Claims, Rejected, SigningKey};
use service_kit::wire::timestamp;
use tonic::{Code, Response, Status};

use crate::world::{T0, World, customer_name, refusal, refused, small_room};

/// A room with its first customer inside since a second after the beginning.
async fn inside() -> (World, String, pb::QueueToken) {
    let world = World::new().await;
    let room = world.open(small_room()).await;
    let tokens = world.join(&room, 1).await;
    world.tick(1).await;
    let token = world.poll(&tokens[0]).await;
    (world, room, token)
}

async fn validate(world: &World, pass: &str) -> Result<pb::ValidateAdmissionPassResponse, Status> {
    let request = pb::ValidateAdmissionPassRequest { admission_pass: pass.into() };
    world.tokens.clone().validate_admission_pass(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_pass_names_its_room_customer_token_and_end() {
    let (world, room, token) = inside().await;
    let claims = Claims {
        room,
        customer: customer_name(1),
        queue_token: token.name.clone(),
        expire_time_s: (T0 + 601_000) / 1_000,
    };
    assert_eq!(world.keys.verify(&token.admission_pass, T0 + 600_999), Ok(claims));
    assert_eq!(world.keys.verify(&token.admission_pass, T0 + 601_000), Err(Rejected::Expired));
    assert_eq!(world.poll(&token.name).await.admission_pass, token.admission_pass);
}

#[tokio::test]
async fn only_an_active_token_has_a_pass() {
    let (world, room, token) = inside().await;
    assert_eq!(world.issue(&room, 2).await.unwrap().admission_pass, "");
    assert_eq!(world.leave(&token.name).await.admission_pass, "");
    assert_eq!(world.poll(&token.name).await.admission_pass, "");
}

#[tokio::test]
async fn an_extension_brings_a_pass_that_lasts_as_long() {
    let (world, _, token) = inside().await;
    let extended = world.extend(&token.name, T0 + 700_000).await.unwrap();
    assert!(world.keys.verify(&extended.admission_pass, T0 + 699_999).is_ok());
    assert!(world.keys.verify(&token.admission_pass, T0 + 699_999).is_err());
}

#[tokio::test]
async fn a_pass_counts_until_its_token_ends() {
    let (world, _, token) = inside().await;
    let valid = validate(&world, &token.admission_pass).await.unwrap();
    assert_eq!((valid.queue_token, valid.customer), (token.name.clone(), customer_name(1)));
    assert_eq!(valid.expire_time, Some(timestamp(T0 + 601_000)));
    world.revoke(&token.name).await;
    let invalid = refused(Code::Unauthenticated, "ADMISSION_PASS_INVALID");
    assert_eq!(refusal(validate(&world, &token.admission_pass).await), invalid);
    assert_eq!(refusal(validate(&world, "nonsense").await), invalid);
    assert_eq!(refusal(validate(&world, "").await), refused(Code::InvalidArgument, "FIELD_INVALID"));
    world.clock.advance(600_000);
    let expired = refused(Code::Unauthenticated, "ADMISSION_PASS_EXPIRED");
    assert_eq!(refusal(validate(&world, &token.admission_pass).await), expired);
}

#[tokio::test]
async fn nobody_makes_a_pass_without_the_key() {
    let (world, room, token) = inside().await;
    let claims = Claims { room, customer: customer_name(2), queue_token: token.name, expire_time_s: T0 };
    let forged = SigningKey::seeded("mine", &[1; 32]).sign(&claims);
    let invalid = refused(Code::Unauthenticated, "ADMISSION_PASS_INVALID");
    assert_eq!(refusal(validate(&world, &forged).await), invalid);
}

#[tokio::test]
async fn a_pass_outlives_a_restart_and_is_signed_with_the_same_key_again() {
    let (world, _, token) = inside().await;
    let restarted = World::over(world.host.db.clone(), world.clock.clone()).await;
    restarted.host.stop.cancel();
    assert!(restarted.keys.verify(&token.admission_pass, T0).is_ok());
    assert_eq!(restarted.poll(&token.name).await, token);
    let published = restarted.tokens.clone().get_admission_keys(pb::GetAdmissionKeysRequest {}).await.unwrap();
    assert_eq!(published.into_inner().jwks, world.keys.jwks());
}

#[tokio::test]
async fn every_installation_has_its_own_key() {
    let (one, another) = (World::new().await, World::new().await);
    assert_ne!(one.keys.jwks(), another.keys.jwks());
}
