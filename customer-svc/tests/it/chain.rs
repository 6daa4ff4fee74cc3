//! The ledger as a chain: entries that nobody can change unseen, and the events that they are told by.

use prost::Message as _;
use proto::event::v1::PointsPosted;
use service_kit::db::Error;
use service_kit::outbox::{Event, Outbox};

use crate::harness::{CONCERT_ACCOUNT, Service, refund, saga_name};

const OUTBOX: Outbox = service_kit::outbox!("customer");

/// A service with a customer who has bought something and brought it back.
async fn traded() -> (Service, String) {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 400).await.unwrap();
    service.capture(&customer, 1).await.unwrap();
    service.clock.advance(10);
    service.credit(refund(&customer, 2, 350, 50)).await.unwrap();
    (service, customer)
}

#[tokio::test]
async fn entries_cannot_be_changed_or_deleted() {
    let (service, _) = traded().await;
    for sql in [
        "update customer_transfers set amount = 1",
        "update customer_transfers set hash = null where sequence = 2",
        "delete from customer_transfers",
        "delete from customer_transfers where sequence = 4",
    ] {
        let refused = service.db.write(async move |tx| tx.execute(sql, &[]).await).await;
        assert!(matches!(refused, Err(Error::Constraint(_))), "{sql}: {refused:?}");
    }
    service.expect_sound().await;
}

#[tokio::test]
async fn every_entry_is_chained_to_the_one_before() {
    let (service, _) = traded().await;
    let chain: Vec<(i64, i64, Option<Vec<u8>>)> =
        service.rows("select sequence, balance_after, hash from customer_transfers order by sequence").await;
    let told: Vec<_> = chain.iter().map(|(sequence, balance, _)| (*sequence, *balance)).collect();
    assert_eq!(told, [(1, 1_000), (2, 600), (3, 950), (4, 950)]);
    let mut hashes: Vec<_> = chain.into_iter().map(|(_, _, hash)| hash.unwrap()).collect();
    assert!(hashes.iter().all(|hash| hash.len() == 32));
    hashes.dedup();
    assert_eq!(hashes.len(), 4);
}

#[tokio::test]
async fn whatever_touches_a_customer_is_told_in_the_order_of_his_chain() {
    let (service, customer) = traded().await;
    let events: Result<Vec<Event>, Error> = service.db.read(async |tx| OUTBOX.take(tx, 10).await).await;
    let mut events = events.unwrap();
    events.sort_by_key(|event| event.version);
    let told: Vec<_> = events.iter().map(|event| PointsPosted::decode(event.data.as_slice()).unwrap()).collect();
    let facts: Vec<_> = told.iter().map(|it| (it.kind.as_str(), it.amount, it.balance_after)).collect();
    assert_eq!(facts, [("ADJUSTMENT", 1_000, 1_000), ("USE", -400, 600), ("REFUND", 350, 950)]);
    assert_eq!(events.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2, 3]);
    for (event, told) in events.iter().zip(&told) {
        assert_eq!((event.kind.as_str(), &event.aggregate), ("ticketing.points.posted.v1", &customer));
        assert_eq!((&event.partition, &told.customer), (&customer, &customer));
        assert_eq!(event.saga.map(|saga| format!("sagas/{saga}")).unwrap_or_default(), told.saga);
        assert!(told.point_transaction.starts_with(&format!("{customer}/pointTransactions/")), "{told:?}");
    }
    assert_eq!(told[1].saga, saga_name(1));
}

#[tokio::test]
async fn a_repeat_and_a_refusal_are_not_told() {
    let mut service = Service::new().await;
    let customer = service.customer(100).await;
    for _ in 0..2 {
        service.reserve(&customer, 1, 60).await.unwrap();
        service.capture(&customer, 1).await.unwrap();
        service.adjust(&customer, -90, 5).await.unwrap_err();
    }
    let count: Vec<(i64,)> = service.rows("select count(*) from customer_outbox").await;
    assert_eq!(count, [(2,)]);
}

#[tokio::test]
async fn what_becomes_of_reserved_points_is_kept() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    for saga in [1, 2, 3] {
        service.reserve(&customer, saga, 100).await.unwrap();
    }
    for _ in 0..2 {
        service.capture(&customer, 1).await.unwrap();
        service.release(&customer, 2).await.unwrap();
    }
    service.reserve(&customer, 4, 10_000).await.unwrap_err();
    let kept: Vec<(String, String, String)> = service
        .rows("select from_state, to_state, actor from customer_reservation_transitions order by saga_id, version")
        .await;
    let expected =
        [("", "PENDING"), ("PENDING", "CAPTURED"), ("", "PENDING"), ("PENDING", "RELEASED"), ("", "PENDING")];
    assert_eq!(kept, expected.map(|(from, to)| (from.to_owned(), to.to_owned(), "saga".to_owned())));
    let asked: Vec<(i64,)> =
        service.rows("select count(distinct request_id) from customer_reservation_transitions").await;
    assert_eq!(asked, [(5,)], "each names the request that led to it");
}

#[tokio::test]
async fn the_sums_of_a_concert_are_what_was_spent_given_back_and_kept() {
    let (mut service, customer) = traded().await;
    service.reserve(&customer, 3, 100).await.unwrap();
    service.capture(&customer, 3).await.unwrap();
    let sums = service.db.read(async |tx| customer_svc::verify::concert_sums(tx).await).await.unwrap();
    let [concert] = sums.as_slice() else { panic!("{sums:?}") };
    assert_eq!(
        (concert.account.as_str(), concert.used, concert.refunded, concert.fees),
        (CONCERT_ACCOUNT, 500, 350, 50)
    );
    assert_eq!(concert.revenue(), 100);
}
