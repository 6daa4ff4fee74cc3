//! Corrections by an operator, and the ledger as the customer reads it.

use proto::customer::v1 as pb;
use tonic::Code;

use crate::harness::{CONCERT_ACCOUNT, Service, adjustment, charge, fact, failed, saga_name, violation, withdraw};

#[tokio::test]
async fn a_correction_gives_and_takes() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;

    let given = service.adjust(&customer, 500, 1).await.unwrap();
    assert_eq!((given.amount, given.balance_after), (500, 500));
    assert_eq!((given.debit_account.as_str(), given.credit_account.as_str()), ("adjustments", customer.as_str()));
    assert_eq!(given.kind(), pb::point_transaction::Kind::Adjustment);
    assert_eq!(given.reason, "a gift");

    let taken = service.adjust(&customer, -200, 2).await.unwrap();
    assert_eq!((taken.amount, taken.balance_after), (-200, 300));
    assert_eq!((taken.debit_account.as_str(), taken.credit_account.as_str()), (customer.as_str(), "adjustments"));
    assert_eq!(service.account(&customer).await, (300, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn the_same_correction_counts_once() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;

    let first = service.adjust(&customer, 500, 1).await.unwrap();
    assert_eq!(service.adjust(&customer, 500, 1).await.unwrap(), first);
    let other = service.adjust(&customer, 501, 1).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
    assert_eq!(service.account(&customer).await, (500, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_refused_correction_may_be_tried_again() {
    let mut service = Service::new().await;
    let customer = service.customer(100).await;

    assert_eq!(failed(service.adjust(&customer, -200, 1).await).1, "INSUFFICIENT_POINTS");
    service.adjust(&customer, 100, 2).await.unwrap();
    service.adjust(&customer, -200, 1).await.unwrap();
    assert_eq!(service.account(&customer).await, (0, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_balance_ends_at_its_limit() {
    let mut service = Service::new().await;
    let customer = service.customer(1_999_999).await;

    let beyond = service.adjust(&customer, 2, 1).await;
    assert_eq!(fact(&beyond, "limit"), "2000000");
    assert_eq!(failed(beyond), (Code::FailedPrecondition, "POINT_BALANCE_LIMIT".into()));
    service.adjust(&customer, 1, 2).await.unwrap();
    assert_eq!(service.account(&customer).await, (2_000_000, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn a_correction_leaves_reserved_points_alone() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    service.reserve(&customer, 1, 600).await.unwrap();

    let beyond = service.adjust(&customer, -401, 1).await;
    assert_eq!(fact(&beyond, "available"), "400");
    assert_eq!(failed(beyond).1, "INSUFFICIENT_POINTS");
    service.adjust(&customer, -400, 2).await.unwrap();
    assert_eq!(service.account(&customer).await, (600, 600));
    service.expect_sound().await;
}

#[tokio::test]
async fn only_an_active_customer_is_corrected() {
    let mut service = Service::new().await;
    let customer = service.customer(100).await;
    service.sql("update customer_customers set state = 2").await;

    for amount in [1, -1] {
        let asleep = service.adjust(&customer, amount, 1).await;
        assert_eq!(failed(asleep), (Code::FailedPrecondition, "CUSTOMER_NOT_ACTIVE".into()));
    }
    let unknown = service.adjust("customers/00000000-0000-0000-0000-0000000000ff", 1, 1).await;
    assert_eq!(failed(unknown), (Code::NotFound, "CUSTOMER_NOT_FOUND".into()));
}

#[tokio::test]
async fn what_came_to_somebody_who_has_left_can_only_be_taken() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    service.customers.withdraw_customer(withdraw(&customer, "")).await.unwrap();
    service.credit(charge(&customer, 1, 50)).await.unwrap();

    assert_eq!(failed(service.adjust(&customer, 1, 1).await).1, "CUSTOMER_NOT_ACTIVE");
    assert_eq!(failed(service.adjust(&customer, -51, 2).await).1, "INSUFFICIENT_POINTS");
    assert_eq!(service.adjust(&customer, -50, 3).await.unwrap().balance_after, 0);
    service.expect_sound().await;
}

#[tokio::test]
async fn the_ledger_is_read_newest_first_page_by_page() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    for amount in 1..=5 {
        service.adjust(&customer, amount, amount.unsigned_abs().into()).await.unwrap();
    }
    let mut request = pb::ListPointTransactionsRequest { parent: customer, page_size: 2, ..Default::default() };
    let mut pages = Vec::new();
    loop {
        let page = service.points.list_point_transactions(request.clone()).await.unwrap().into_inner();
        pages.push(page.point_transactions.iter().map(|entry| entry.amount).collect::<Vec<_>>());
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
}

#[tokio::test]
async fn the_ledger_is_filtered_by_kind_and_saga() {
    let mut service = Service::new().await;
    let customer = service.customer(1_000).await;
    for saga in [1, 2] {
        service.reserve(&customer, saga, 100).await.unwrap();
        service.capture(&customer, saga).await.unwrap();
    }
    let mut list = async |filter: String| {
        let request = pb::ListPointTransactionsRequest { parent: customer.clone(), filter, ..Default::default() };
        let page = service.points.list_point_transactions(request).await;
        page.map(|page| page.into_inner().point_transactions)
    };
    assert_eq!(list("kind = USE".into()).await.unwrap().len(), 2);
    assert_eq!(list("kind = CHARGE".into()).await.unwrap().len(), 0);
    let used = list(format!("kind = USE AND saga = \"{}\"", saga_name(2))).await.unwrap();
    assert_eq!(used[0].saga, saga_name(2));
    assert_eq!(used[0].credit_account, CONCERT_ACCOUNT);
    assert_eq!(violation(list("kind = LOAN".into()).await), "filter");
    assert_eq!(violation(list("amount = 3".into()).await), "filter");
}

#[tokio::test]
async fn an_amount_out_of_range_changes_nothing() {
    let mut service = Service::new().await;
    let customer = service.customer(100).await;
    for amount in [0, 2_000_001, -2_000_001, i64::MAX, i64::MIN] {
        let answer = service.points.adjust_points(adjustment(&customer, amount, 1)).await;
        assert_eq!(failed(answer), (Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE".into()), "{amount}");
    }
    assert_eq!(service.entries(&customer).await, [100]);
    service.expect_sound().await;
}
