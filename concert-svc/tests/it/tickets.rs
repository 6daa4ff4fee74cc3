//! Tickets at the door.

use proto::concert::v1 as pb;
use proto::concert::v1::reservation;
use proto::concert::v1::ticket::State;
use service_kit::wire::timestamp;
use tonic::Code;

use crate::world::{NOW_MS, World, concert, fact, id, reason, refused};

const SAGA: u128 = 0xca5a;

/// are sold, and there is time to cancel.
async fn sold() -> (World, pb::Reservation, Vec<pb::Ticket>) {
    let world = World::new().await;
    let sold = world.buy(1, &["A-1", "A-2"]).await;
    world.postpone(30).await;
    let tickets = world.tickets(&sold).await;
    (world, sold, tickets)
}

#[tokio::test]
async fn a_ticket_opens_the_door_once() {
    let (world, sold, tickets) = sold().await;
    world.clock.advance(5);
    let inside = world.check_in(&tickets[0], 1).await.unwrap();
    let expected =
        pb::Ticket { state: State::CheckedIn.into(), check_in_time: Some(timestamp(NOW_MS + 5)), ..tickets[0].clone() };
    assert_eq!(inside, expected);
    world.clock.advance(5);
    assert_eq!(world.check_in(&tickets[0], 1).await.unwrap(), expected);
    for request in [2, 0] {
        let second = world.check_in(&tickets[0], request).await;
        assert_eq!(
            (reason(&second), fact(&second, "check_in_time")),
            ("TICKET_CHECKED_IN".into(), timestamp(NOW_MS + 5).to_string())
        );
    }
    assert_eq!(world.tickets(&sold).await, [expected.clone(), tickets[1].clone()]);
    let get = pb::GetTicketRequest { name: expected.name.clone() };
    assert_eq!(world.reservations.clone().get_ticket(get).await.unwrap().into_inner(), expected);
    assert_eq!(world.state(&sold).await, reservation::State::Confirmed);
    world.check_in(&tickets[1], 3).await.unwrap();
    world.verify().await;
}

#[tokio::test]
async fn who_has_gone_in_cannot_give_his_reservation_back() {
    let (world, sold, tickets) = sold().await;
    world.check_in(&tickets[1], 1).await.unwrap();
    assert_eq!(refused(&world.begin(SAGA, &sold).await), "TICKET_CHECKED_IN");
    assert_eq!(world.state(&sold).await, reservation::State::Confirmed);
    world.verify().await;
}

#[tokio::test]
async fn when_the_performance_is_off_he_can_and_nobody_else_goes_in() {
    let (world, sold, tickets) = sold().await;
    world.check_in(&tickets[0], 1).await.unwrap();
    world.cancel_performance(world.cancel_request()).await.unwrap();
    assert_eq!(reason(&world.check_in(&tickets[1], 2).await), "PERFORMANCE_CANCELLED");
    assert_eq!(world.begin(SAGA, &sold).await.unwrap().amount, 2_000);
    world.commit(SAGA, &sold).await.unwrap();
    let states: Vec<_> = world.tickets(&sold).await.iter().map(pb::Ticket::state).collect();
    assert_eq!(states, [State::Voided; 2]);
    world.verify().await;
}

#[tokio::test]
async fn a_ticket_does_not_open_the_door_while_it_is_given_back_nor_after() {
    let (world, sold, tickets) = sold().await;
    world.begin(SAGA, &sold).await.unwrap();
    let locked = world.check_in(&tickets[0], 1).await;
    assert_eq!((reason(&locked), fact(&locked, "saga")), ("RESERVATION_LOCKED".into(), format!("sagas/{}", id(SAGA))));
    world.abort(SAGA, &sold).await.unwrap();
    // Refusals are not kept: the same request may be tried again.
    world.check_in(&tickets[0], 1).await.unwrap();

    let other = world.buy(2, &["A-3"]).await;
    let ticket = world.tickets(&other).await.remove(0);
    world.begin(3, &other).await.unwrap();
    world.commit(3, &other).await.unwrap();
    assert_eq!(reason(&world.check_in(&ticket, 4).await), "TICKET_VOIDED");
    world.verify().await;
}

#[tokio::test]
async fn a_ticket_that_is_not_there_and_a_name_that_is_none_are_told_apart() {
    let (mut world, sold, tickets) = sold().await;
    for name in [
        format!("{}/tickets/{}", sold.name, id(1)),
        format!("reservations/{}/tickets/{}", id(1), tickets[0].name.rsplit('/').next().unwrap()),
    ] {
        let unknown = pb::Ticket { name: name.clone(), ..Default::default() };
        let answer = world.check_in(&unknown, 1).await;
        assert_eq!((reason(&answer), fact(&answer, "name")), ("TICKET_NOT_FOUND".into(), name.clone()));
        let answer = world.reservations.get_ticket(pb::GetTicketRequest { name }).await;
        assert_eq!((reason(&answer), answer.unwrap_err().code()), ("TICKET_NOT_FOUND".into(), Code::NotFound));
    }
    let right = pb::CheckInTicketRequest { name: tickets[0].name.clone(), request_id: String::new() };
    for (field, request) in [
        ("name", pb::CheckInTicketRequest { name: sold.name.clone(), ..right.clone() }),
        ("request_id", pb::CheckInTicketRequest { request_id: "x".into(), ..right }),
    ] {
        assert_eq!(fact(&world.reservations.check_in_ticket(request).await, "field"), field);
    }
    world.check_in(&tickets[0], 1).await.unwrap();
    assert_eq!(reason(&world.check_in(&tickets[1], 1).await), "REQUEST_ID_REUSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_check_in_and_a_cancellation_that_meet_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::threaded(directory.path(), concert()).await;
    world.postpone(30).await;
    for round in 1..=8 {
        let sold = world.buy(round, &[&format!("A-{round}")]).await;
        let ticket = world.tickets(&sold).await.remove(0);
        let (enter, begin) = (world.check_in(&ticket, 100 + round), world.begin(200 + round, &sold));
        let (entered, begun) = if round % 2 == 0 {
            tokio::join!(enter, begin)
        } else {
            let (begun, entered) = tokio::join!(begin, enter);
            (entered, begun)
        };
        match entered {
            Ok(_) => assert_eq!(refused(&begun), "TICKET_CHECKED_IN", "round {round}"),
            lost => {
                assert_eq!((reason(&lost), begun.unwrap().amount), ("RESERVATION_LOCKED".into(), 1_000));
                world.commit(200 + round, &sold).await.unwrap();
            }
        }
        world.verify().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_gates_let_two_tickets_of_one_reservation_in_and_no_ticket_twice() {
    let directory = tempfile::tempdir().unwrap();
    let world = World::threaded(directory.path(), concert()).await;
    for round in 1..=4 {
        let sold = world.buy(round, &[&format!("A-{round}"), &format!("A-{}", round + 4)]).await;
        let tickets = world.tickets(&sold).await;
        let request = |number: u128| 10 * round + number;
        let (first, second, again) = tokio::join!(
            world.check_in(&tickets[0], request(1)),
            world.check_in(&tickets[1], request(2)),
            world.check_in(&tickets[0], request(3)),
        );
        second.unwrap();
        let (in_, out): (Vec<_>, Vec<_>) = [first, again].into_iter().partition(Result::is_ok);
        assert_eq!((in_.len(), reason(&out[0])), (1, "TICKET_CHECKED_IN".into()));
        world.verify().await;
    }
}
