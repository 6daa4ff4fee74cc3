//! The job that follows the chains: what it finds, what it sums up, and that it does both once.

use customer_svc::{Config, check_ledger, walk};
use proto::customer::v1 as pb;
use tokio::task::JoinSet;

use crate::harness::{CONCERT_ACCOUNT, Service, charge, refund, violation};

/// Longer than an entry must have lain before it is followed, and than a job rests.
const SETTLED: i64 = 61_000;
const DAY: i64 = 86_400_000;

/// Small batches, so that everything takes several.
const CONFIG: fn() -> Config = || Config { job_batch: 2, ..Config::default() };

async fn check(service: &Service) {
    service.clock.advance(SETTLED);
    check_ledger(&service.db, CONFIG()).await.unwrap();
}

async fn findings(service: &mut Service) -> Vec<(String, String, i64)> {
    let found = service.points.list_ledger_findings(pb::ListLedgerFindingsRequest::default()).await.unwrap();
    let found = found.into_inner();
    assert_eq!(found.total_size, found.ledger_findings.len() as i64);
    found.ledger_findings.into_iter().map(|it| (it.customer, it.rule, it.sequence)).collect()
}

/// Account, what went out, what came in.
async fn totals(service: &mut Service) -> Vec<(String, i64, i64)> {
    let totals = service.points.list_account_totals(pb::ListAccountTotalsRequest::default()).await.unwrap();
    let totals = totals.into_inner().account_totals.into_iter();
    totals.map(|it| (it.account, it.debited_amount, it.credited_amount)).collect()
}

fn total(account: &str, debited: i64, credited: i64) -> (String, i64, i64) {
    (account.to_owned(), debited, credited)
}

async fn traders(service: &mut Service, count: u128) -> Vec<String> {
    let mut customers = Vec::new();
    for number in 0..count {
        let customer = service.customer(0).await;
        service.credit(charge(&customer, number * 10 + 1, 1_000)).await.unwrap();
        service.reserve(&customer, number * 10 + 2, 400).await.unwrap();
        service.capture(&customer, number * 10 + 2).await.unwrap();
        service.credit(refund(&customer, number * 10 + 3, 350, 50)).await.unwrap();
        service.reserve(&customer, number * 10 + 4, 10).await.unwrap();
        customers.push(customer);
    }
    customers
}

#[tokio::test]
async fn sound_books_give_no_finding_and_the_sums_of_all_accounts() {
    let mut service = Service::new().await;
    let customers = traders(&mut service, 5).await;
    check_ledger(&service.db, CONFIG()).await.unwrap();
    assert_eq!(totals(&mut service).await, [], "what has just been written may not be all of its time");
    check(&service).await;
    let expected =
        [total("clearing/card", 5_000, 0), total("fees/cancellation", 0, 250), total(CONCERT_ACCOUNT, 2_000, 2_000)];
    assert_eq!(totals(&mut service).await, expected);

    service.credit(charge(&customers[0], 99, 7)).await.unwrap();
    for _ in 0..3 {
        check(&service).await;
    }
    assert_eq!(totals(&mut service).await[0], total("clearing/card", 5_007, 0), "every entry counts once");
    assert_eq!(findings(&mut service).await, []);
}

#[tokio::test]
async fn what_does_not_add_up_is_told_once_and_left_as_it_is() {
    let mut service = Service::new().await;
    let customers = traders(&mut service, 3).await;
    service.unguard().await;
    service.sql("update customer_customers set posted = posted + 1 where posted = 950").await;
    service.sql("update customer_transfers set reason = 'another' where sequence = 2").await;
    for _ in 0..2 {
        check(&service).await;
        service.clock.advance(DAY);
        walk(&service.db, CONFIG()).await.unwrap();
    }
    let mut expected: Vec<_> = customers
        .iter()
        .flat_map(|customer| [(customer.clone(), "P3".to_owned(), 4), (customer.clone(), "P8".to_owned(), 2)])
        .collect();
    expected.sort();
    assert_eq!(findings(&mut service).await, expected);
    assert_eq!(service.account(&customers[0]).await, (951, 10), "nothing is repaired");
}

#[tokio::test]
async fn a_missing_entry_and_a_wrong_reservation_are_found() {
    let mut service = Service::new().await;
    let customers = traders(&mut service, 1).await;
    service.unguard().await;
    service.sql("delete from customer_transfers where sequence = 4").await;
    service.sql("delete from customer_point_reservations where state = 1").await;
    check(&service).await;
    let expected = ["P3", "P7"].map(|rule| (customers[0].clone(), rule.to_owned(), 3));
    assert_eq!(findings(&mut service).await, expected);
}

#[tokio::test]
async fn the_walk_follows_what_the_check_has_missed() {
    let mut service = Service::new().await;
    let customers = traders(&mut service, 3).await;
    check(&service).await;
    // It became visible after the check had passed its time.
    service.credit(charge(&customers[1], 99, 7)).await.unwrap();
    service.sql("update customer_jobs set cursor_time = cursor_time + 100000000").await;
    check(&service).await;
    assert_eq!(totals(&mut service).await[0], total("clearing/card", 3_000, 0));
    walk(&service.db, CONFIG()).await.unwrap();
    assert_eq!(totals(&mut service).await[0], total("clearing/card", 3_007, 0));
    assert_eq!(findings(&mut service).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_at_once_count_every_entry_once() {
    let directory = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(service_kit::clock::ManualClock::at(1_000));
    let mut service = Service::over(testbed::threaded(directory.path(), clock.clone()).await, clock).await;
    traders(&mut service, 12).await;
    service.clock.advance(DAY);
    let mut rounds = JoinSet::new();
    for round in 0..8 {
        let db = service.db.clone();
        rounds.spawn(async move {
            let done = if round % 2 == 0 { check_ledger(&db, CONFIG()).await } else { walk(&db, CONFIG()).await };
            // The check and the walk may meet at a chain; then one of them keeps nothing and tries again later.
            drop(done);
        });
    }
    rounds.join_all().await;
    service.clock.advance(2 * DAY);
    check_ledger(&service.db, CONFIG()).await.unwrap();
    walk(&service.db, CONFIG()).await.unwrap();
    let expected =
        [total("clearing/card", 12_000, 0), total("fees/cancellation", 0, 600), total(CONCERT_ACCOUNT, 4_800, 4_800)];
    assert_eq!(totals(&mut service).await, expected);
    assert_eq!(findings(&mut service).await, []);
}

#[tokio::test]
async fn a_long_chain_is_followed_in_parts() {
    let mut service = Service::new().await;
    let customer = service.customer(0).await;
    for id in 1..=1_001 {
        service.adjust(&customer, 1, id).await.unwrap();
    }
    check(&service).await;
    assert_eq!(totals(&mut service).await, [total("adjustments", 1_001, 0)]);
    assert_eq!(findings(&mut service).await, []);
}

#[tokio::test]
async fn findings_and_sums_come_page_by_page() {
    let mut service = Service::new().await;
    traders(&mut service, 3).await;
    service.sql("update customer_customers set posted = posted + 1").await;
    check(&service).await;
    let mut request = pb::ListLedgerFindingsRequest { page_size: 2, ..Default::default() };
    let first = service.points.list_ledger_findings(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token;
    let second = service.points.list_ledger_findings(request.clone()).await.unwrap().into_inner();
    assert_eq!((first.ledger_findings.len(), second.ledger_findings.len(), second.total_size), (2, 1, 3));
    assert_eq!(second.next_page_token, "");
    let mut sums = pb::ListAccountTotalsRequest { page_size: 2, ..Default::default() };
    let page = service.points.list_account_totals(sums.clone()).await.unwrap().into_inner();
    sums.page_token = page.next_page_token;
    let rest = service.points.list_account_totals(sums.clone()).await.unwrap().into_inner();
    assert_eq!((page.account_totals.len(), rest.account_totals.len()), (2, 1));

    for token in ["x", "@@", "00000000-0000-0000-0000-000000000001@P3@x", "00000000-0000-0000-0000-000000000001@P3@1@1"]
    {
        request.page_token = token.into();
        assert_eq!(violation(service.points.list_ledger_findings(request.clone()).await), "page_token", "{token}");
    }
    sums.page_token = "a\0".into();
    assert_eq!(violation(service.points.list_account_totals(sums.clone()).await), "page_token");
    sums = pb::ListAccountTotalsRequest { page_size: -1, ..Default::default() };
    assert_eq!(violation(service.points.list_account_totals(sums).await), "page_size");
}
