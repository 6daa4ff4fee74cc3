//! A world in which everything has happened once: bought and refused, compensated and arbitrated, taken over, returned,
//! charged, parked; and everybody has been told.

use std::time::Duration;

use oracle::history::{History, saga_of};
use outside::processor::Faults as Processing;
use proto::orchestrator::v1::CreateCheckoutRequest;
use proto::orchestrator::v1::checkout::State;
use service_kit::db::Db;
use service_kit::wire::duration;
use skald_tests::world::PRICE;
use skald_tests::{Fault, Hall, Held, World};
use uuid::Uuid;

use crate::client::Clients;

/// Longer than anybody takes to hold a seat, or a saga to give up.
const WHILE: Duration = Duration::from_secs(90);

/// Tells it. What is left is the database, what clients saw, and from when on nothing happened any more.
pub(crate) async fn told() -> (Db, History, u64) {
    let mut world = World::whole().await;
    let mut clients = Clients::new();
    let mut seen = Vec::new();
    seen.extend(sales(&world, &mut clients).await);
    seen.extend(failures(&world, &mut clients).await);
    seen.push(taken_over(&mut world, &mut clients).await);
    returns(&world).await;
    charges(&world).await;
    seen.extend(parked(&world, &mut clients).await);
    world.publish().await;
    world.late_messages_arrive().await;
    let rest = clients.now();
    for name in &seen {
        clients.look(&world, saga_of(name).unwrap()).await;
    }
    clients.look(&world, Uuid::from_u128(0xbad)).await;
    (world.db.clone(), clients.history(), rest)
}

/// What a customer sends who does not wait for the answer.
fn order_of(world: &World, held: &Held) -> CreateCheckoutRequest {
    CreateCheckoutRequest { wait: Some(duration(0)), ..world.order(held) }
}

/// Checkouts that complete: plain, clicked twice, for nothing, from a waiting room, and watched.
async fn sales(world: &World, clients: &mut Clients) -> Vec<String> {
    let mut seen = Vec::new();
    let held = world.held(0).await;
    let order = world.order(&held);
    let first = clients.send(world, order.clone()).await.unwrap();
    let again = clients.send(world, order).await.unwrap();
    assert_eq!(first.name, again.name);
    seen.push(first.name);

    let held = world.held(1).await;
    world.faults.always("AuthorizePayment", Fault::Slow(Duration::from_millis(500)));
    let name = clients.send(world, order_of(world, &held)).await.unwrap().name;
    clients.watch(world, &name).await;
    world.faults.heal();
    clients.cancel(world, &name).await;
    seen.push(name);

    let free = world.open(Hall { price: 0, fee_percent: 0 }).await;
    let customer = world.customer(0).await;
    let reservation = world.hold_at(&free, &customer, 0).await.unwrap();
    seen.push(clients.buy(world, &Held { customer, reservation }).await.unwrap().name);

    let room = world.open_room().await;
    let behind = world.open(Hall::default()).await;
    world.put_behind(&room, &behind).await;
    tokio::time::sleep(WHILE).await;
    world.admit(&room, &world.customer(0).await).await;
    let customer = world.customer(PRICE).await;
    let token = world.admit(&room, &customer).await;
    let reservation = world.hold_with(&token.admission_pass, &behind, &customer, 0).await.unwrap();
    let mut order = world.order(&Held { customer, reservation });
    order.checkout.as_mut().unwrap().queue_token = token.name;
    seen.push(clients.send(world, order).await.unwrap().name);

    // Its pivot's answers are lost, and the arbiter tells that it has happened.
    world.faults.always("ConfirmReservation", Fault::LoseReply);
    let held = world.held(2).await;
    seen.push(clients.send(world, order_of(world, &held)).await.unwrap().name);
    tokio::time::sleep(WHILE).await;
    world.faults.heal();
    world.settle().await;
    for name in &seen {
        assert_eq!(clients.get(world, name).await.state(), State::Completed);
    }
    seen
}

/// Checkouts that fail, each in another way and at another step.
async fn failures(world: &World, clients: &mut Clients) -> Vec<String> {
    let mut seen = Vec::new();
    let ways = [
        ("LockReservation", Fault::Refuse("NO")),
        ("ReservePoints", Fault::NotSent),
        ("AuthorizePayment", Fault::Refuse("NO")),
        ("AuthorizePayment", Fault::LoseReply),
        ("AuthorizePayment", Fault::LoseRequest),
        ("AuthorizePayment", Fault::Late(Duration::from_secs(100))),
        ("ConfirmReservation", Fault::Refuse("NO")),
        ("ConfirmReservation", Fault::LoseRequest),
    ];
    for (place, (method, fault)) in ways.into_iter().enumerate() {
        world.faults.always(method, fault.clone());
        let held = world.held(3 + place).await;
        let checkout = clients.buy(world, &held).await.unwrap();
        assert_eq!(checkout.state(), State::Failed, "{method} {fault:?}");
        seen.push(checkout.name);
    }
    world.faults.heal();
    let customer = world.customer(PRICE - 1).await;
    let reservation = world.hold(&customer, 11).await.unwrap();
    let poor = clients.buy(world, &Held { customer, reservation }).await.unwrap();
    assert_eq!(poor.state(), State::Failed);
    seen.push(poor.name);

    let stranger = Held { customer: world.customer(PRICE).await, reservation: "reservations/none".into() };
    assert!(clients.buy(world, &stranger).await.is_none(), "it is refused before it begins");
    seen
}

/// A checkout whose orchestrator dies under it.
async fn taken_over(world: &mut World, clients: &mut Clients) -> String {
    world.faults.always("AuthorizePayment", Fault::Hang);
    let held = world.held(12).await;
    let name = clients.send(world, order_of(world, &held)).await.unwrap().name;
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.faults.heal();
    world.restart().await;
    world.settle().await;
    assert_eq!(clients.get(world, &name).await.state(), State::Completed);
    name
}

/// A return, and one that fails at its pivot.
async fn returns(world: &World) {
    let bought = world.bought(13).await;
    assert_eq!(world.cancel(&bought).await.state(), State::Completed);
    let bought = world.bought(14).await;
    world.faults.always("CommitReservationCancellation", Fault::Refuse("NO"));
    assert_eq!(world.cancel(&bought).await.state(), State::Failed);
    world.faults.heal();
}

/// Points by card, and a card that is declined.
async fn charges(world: &World) {
    let customer = world.customer(0).await;
    assert_eq!(world.charge(&customer).await.state(), State::Completed);
    let processor = world.processor.as_ref().unwrap();
    processor.set(Processing { decline: 1000, ..Processing::default() });
    assert_eq!(world.charge(&customer).await.state(), State::Failed);
    processor.set(Processing::default());
}

/// Checkouts that wait for a person, before the pivot and after it, and a return that does.
async fn parked(world: &World, clients: &mut Clients) -> Vec<String> {
    let mut seen = Vec::new();
    for (seat, method, fault) in [
        (15, "ReservePoints", Fault::Garbage),
        (16, "ReservePoints", Fault::Empty),
        (17, "CapturePoints", Fault::Refuse("NO")),
    ] {
        world.faults.always(method, fault);
        let held = world.held(seat).await;
        seen.push(clients.send(world, order_of(world, &held)).await.unwrap().name);
        world.settle().await;
    }
    world.faults.heal();
    let bought = world.bought(18).await;
    world.faults.always("CreditPoints", Fault::Refuse("NO"));
    world.ask_back(world.give_back(&bought)).await.unwrap();
    world.settle().await;
    world.faults.heal();
    seen
}
