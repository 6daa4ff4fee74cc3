//! Points that a saga gives after its pivot: a charge, or a refund with its fee. Nothing may refuse it.

use proto::customer::v1 as pb;
use proto::customer::v1::point_transaction::Kind;
use tonic::Code;

use crate::harness::{CONCERT_ACCOUNT, Service, charge, failed, refund, refused, saga_name, step, violation};

const FEES: &str = "fees/cancellation";

/// A customer who has spent all of his points on a concert.
async fn spender(service: &mut Service, points: i64) -> String {
    let customer = service.customer(points).await;
    service.reserve(&customer, 1, points).await.unwrap();
    service.capture(&customer, 1).await.unwrap();
    customer
}

async fn list(service: &mut Service, customer: &str) -> Vec<pb::PointTransaction> {
    let request = pb::ListPointTransactionsRequest { parent: customer.into(), ..Default::default() };
    service.points.list_point_transactions(request).await.unwrap().into_inner().point_transactions
}

#[tokio::test]
async fn a_charge_comes_from_where_money_comes_in() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;

    let credited = service.credit(charge(&customer, 1, 50_000)).await.unwrap();
    assert_eq!((credited.saga, credited.amount), (saga_name(1), 50_000));
    let entry = credited.point_transaction.unwrap();
    assert_eq!((entry.kind(), entry.amount, entry.moved_amount), (Kind::Charge, 50_000, 50_000));
    assert_eq!((entry.debit_account.as_str(), entry.credit_account.as_str()), ("clearing/card", customer.as_str()));
    assert_eq!((entry.balance_after, entry.saga.as_str()), (50_000, saga_name(1).as_str()));
    assert_eq!(service.account(&customer).await, (50_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refund_and_its_fee_come_from_the_concert() {
    let mut service = Service::new().await;
    let customer = spender(&mut service, 10_000).await;

    let credited = service.credit(refund(&customer, 2, 9_000, 1_000)).await.unwrap();
    assert_eq!(credited.amount, 9_000);
    let entry = credited.point_transaction.unwrap();
    assert_eq!((entry.kind(), entry.amount, entry.debit_account.as_str()), (Kind::Refund, 9_000, CONCERT_ACCOUNT));

    let entries = list(&mut service, &customer).await;
    assert_eq!(entries[1], entry);
    let fee = &entries[0];
    assert_eq!((fee.kind(), fee.amount, fee.moved_amount), (Kind::CancellationFee, 0, 1_000));
    assert_eq!((fee.debit_account.as_str(), fee.credit_account.as_str()), (CONCERT_ACCOUNT, FEES));
    assert_eq!((fee.balance_after, service.account(&customer).await), (9_000, (9_000, 0)));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_fee_may_take_all() {
    let mut service = Service::new().await;
    let customer = spender(&mut service, 10_000).await;

    let credited = service.credit(refund(&customer, 2, 0, 10_000)).await.unwrap();
    assert_eq!((credited.amount, credited.point_transaction), (0, None));
    let fee = &list(&mut service, &customer).await[0];
    assert_eq!((fee.kind(), fee.moved_amount, fee.balance_after), (Kind::CancellationFee, 10_000, 0));
    assert_eq!(service.account(&customer).await, (0, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_gives_nothing_more() {
    let mut service = Service::new().await;
    let customer = spender(&mut service, 10_000).await;

    let first = service.credit(refund(&customer, 2, 9_000, 1_000)).await.unwrap();
    service.clock.advance(60_000);
    assert_eq!(service.credit(refund(&customer, 2, 9_000, 1_000)).await.unwrap(), first);
    let other = service.credit(refund(&customer, 2, 8_000, 2_000)).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    assert_eq!(service.account(&customer).await, (9_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_saga_gives_points_of_a_kind_once_whichever_step_asks() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    service.credit(charge(&customer, 1, 50_000)).await.unwrap();

    let again = service.points.credit_points(step("credit-again", charge(&customer, 1, 50_000))).await;
    assert_eq!(failed(again).0, Code::Internal);
    assert_eq!(service.account(&customer).await, (50_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn no_limit_and_no_state_keeps_a_customer_from_what_was_paid() {
    let mut service = Service::new().await;
    let customer = service.customer(2_000_000).await;
    service.credit(charge(&customer, 1, 50_000)).await.unwrap();
    service.sql("update customer_customers set state = 2").await;
    service.credit(charge(&customer, 2, 1)).await.unwrap();
    service.sql("update customer_customers set state = 3").await;
    service.credit(charge(&customer, 3, 1)).await.unwrap();
    assert_eq!(service.account(&customer).await, (2_050_002, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn what_nobody_owns_is_credited_to_nobody() {
    let mut service = Service::new().await;
    let unknown = "customers/00000000-0000-0000-0000-0000000000ff";
    assert_eq!(refused(service.credit(charge(unknown, 1, 1)).await), "CUSTOMER_NOT_FOUND");
}

#[tokio::test]
async fn a_malformed_credit_is_named_by_its_field() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    let good = || refund(&customer, 1, 900, 100);
    let wrong = [
        ("customer", pb::CreditPointsRequest { customer: "kim".into(), ..good() }),
        ("saga", pb::CreditPointsRequest { saga: String::new(), ..good() }),
        ("request_id", pb::CreditPointsRequest { request_id: "1".into(), ..good() }),
        ("amount", pb::CreditPointsRequest { amount: -1, ..good() }),
        ("amount", pb::CreditPointsRequest { amount: 0, fee_amount: 0, ..good() }),
        ("amount", pb::CreditPointsRequest { amount: i64::MAX, ..good() }),
        ("fee_amount", pb::CreditPointsRequest { fee_amount: -1, ..good() }),
        ("fee_amount", pb::CreditPointsRequest { fee_amount: i64::MAX, ..good() }),
        ("fee_amount", pb::CreditPointsRequest { fee_amount: 1, ..charge(&customer, 1, 900) }),
        ("fee_credit_account", pb::CreditPointsRequest { fee_credit_account: String::new(), ..good() }),
        ("fee_credit_account", pb::CreditPointsRequest { fee_credit_account: customer.clone(), ..good() }),
        ("debit_account", pb::CreditPointsRequest { debit_account: "clearing/card".into(), ..good() }),
        ("debit_account", pb::CreditPointsRequest { debit_account: customer.clone(), ..good() }),
        ("debit_account", pb::CreditPointsRequest { debit_account: CONCERT_ACCOUNT.into(), ..charge(&customer, 1, 1) }),
        ("debit_account", pb::CreditPointsRequest { debit_account: "clearing/CARD".into(), ..charge(&customer, 1, 1) }),
        ("kind", pb::CreditPointsRequest { kind: Kind::Use.into(), ..good() }),
        ("kind", pb::CreditPointsRequest { kind: 77, ..good() }),
    ];
    for (field, request) in wrong {
        let shown = format!("{request:?}");
        assert_eq!(violation(service.credit(request).await), field, "{shown}");
    }
    assert_eq!(service.entries(&customer).await, Vec::<i64>::new());
    service.credit(good()).await.expect("a wrong request bars nothing");
    service.expect_sound().await;
}
