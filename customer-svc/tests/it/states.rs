//! The states of a customer, what he may change, and what is kept about it.

use proto::customer::v1 as pb;
use proto::customer::v1::customer::State;
use tonic::{Code, Response};
use uuid::Uuid;

use crate::harness::{Service, charge, fact, failed, reactivate, suspend, violation, withdraw};

async fn registered(service: &mut Service) -> pb::Customer {
    let customer = pb::Customer {
        display_name: "Kim".into(),
        phone_number: "+821012345678".into(),
        notification_consent: true,
        ..Default::default()
    };
    let request = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() };
    service.customers.create_customer(request).await.unwrap().into_inner()
}

async fn read(service: &mut Service, name: &str) -> pb::Customer {
    service.customers.get_customer(pb::GetCustomerRequest { name: name.into() }).await.unwrap().into_inner()
}

/// From, to, at whose word, and why.
async fn kept(service: &Service) -> Vec<[String; 4]> {
    let rows: Vec<(String, String, String, String)> =
        service.rows("select from_state, to_state, actor, reason from customer_transitions order by version").await;
    rows.into_iter().map(|(from, to, actor, reason)| [from, to, actor, reason]).collect()
}

#[tokio::test]
async fn a_customer_falls_asleep_and_wakes_up() {
    let mut service = Service::new().await;
    let created = registered(&mut service).await;
    let asleep = service.customers.suspend_customer(suspend(&created.name, &created.etag)).await;
    let asleep = asleep.map(Response::into_inner).unwrap();
    assert_eq!(asleep.state(), State::Dormant);
    let again = service.customers.suspend_customer(suspend(&created.name, "")).await;
    assert_eq!(failed(again), (Code::FailedPrecondition, "CUSTOMER_NOT_ACTIVE".into()));
    let dormant = pb::ListCustomersRequest { filter: "state = DORMANT".into(), ..Default::default() };
    assert_eq!(service.customers.list_customers(dormant).await.unwrap().into_inner().customers, [asleep]);

    for _ in 0..2 {
        let awake = service.customers.reactivate_customer(reactivate(&created.name, "")).await.unwrap().into_inner();
        assert_eq!(awake.state(), State::Active);
    }
    let stale = service.customers.suspend_customer(suspend(&created.name, &created.etag)).await;
    assert_eq!(failed(stale), (Code::Aborted, "ETAG_MISMATCH".into()));
    let expected = [
        ["", "ACTIVE", "customer", ""],
        ["ACTIVE", "DORMANT", "operator", "it was asked for"],
        ["DORMANT", "ACTIVE", "operator", ""],
    ];
    assert_eq!(kept(&service).await, expected.map(|row| row.map(str::to_owned)));
}

#[tokio::test]
async fn a_customer_who_leaves_is_forgotten_and_his_ledger_is_kept() {
    let mut service = Service::new().await;
    let created = registered(&mut service).await;
    service.adjust(&created.name, 100, 1).await.unwrap();
    service.adjust(&created.name, -100, 2).await.unwrap();
    service.clock.advance(5_000);

    let gone = service.customers.withdraw_customer(withdraw(&created.name, &created.etag)).await;
    let gone = gone.map(Response::into_inner).unwrap();
    assert_eq!((gone.state(), gone.display_name.as_str(), gone.phone_number.as_str()), (State::Withdrawn, "", ""));
    assert_eq!(
        (gone.notification_consent, gone.withdraw_time, gone.update_time),
        (false, gone.update_time, gone.withdraw_time)
    );
    assert!(gone.withdraw_time.is_some());
    let names: Vec<(i64,)> = service.rows("select count(*) from customer_customers where display_name = 'Kim'").await;
    assert_eq!(names, [(0,)]);
    assert_eq!(service.entries(&created.name).await, [-100, 100]);
    let again = service.customers.withdraw_customer(withdraw(&created.name, "")).await.unwrap().into_inner();
    assert_eq!(again, gone, "he is gone already");
    assert_eq!(kept(&service).await.last().unwrap()[..3], ["ACTIVE", "WITHDRAWN", "customer"]);
    service.expect_sound().await;
}

#[tokio::test]
async fn nobody_leaves_while_he_owns_points() {
    let mut service = Service::new().await;
    let name = registered(&mut service).await.name;
    service.adjust(&name, 100, 1).await.unwrap();
    service.reserve(&name, 1, 60).await.unwrap();
    let refused = service.customers.withdraw_customer(withdraw(&name, "")).await;
    assert_eq!((fact(&refused, "posted"), fact(&refused, "reserved")), ("100".to_owned(), "60".to_owned()));
    assert_eq!(failed(refused), (Code::FailedPrecondition, "POINTS_OUTSTANDING".into()));
    service.capture(&name, 1).await.unwrap();
    assert_eq!(failed(service.customers.withdraw_customer(withdraw(&name, "")).await).1, "POINTS_OUTSTANDING");
    assert_eq!(read(&mut service, &name).await.phone_number, "+821012345678", "nothing has changed");

    service.adjust(&name, -40, 2).await.unwrap();
    service.customers.suspend_customer(suspend(&name, "")).await.unwrap();
    service.customers.withdraw_customer(withdraw(&name, "")).await.expect("also asleep");
    service.expect_sound().await;
}

#[tokio::test]
async fn who_has_left_does_not_come_back() {
    let mut service = Service::new().await;
    let name = registered(&mut service).await.name;
    service.customers.withdraw_customer(withdraw(&name, "")).await.unwrap();
    let woken = service.customers.reactivate_customer(reactivate(&name, "")).await;
    assert_eq!(fact(&woken, "state"), "WITHDRAWN");
    assert_eq!(failed(woken).1, "CUSTOMER_NOT_ACTIVE");
    assert_eq!(failed(service.customers.suspend_customer(suspend(&name, "")).await).1, "CUSTOMER_NOT_ACTIVE");
    let customer = Some(pb::Customer { name: name.clone(), display_name: "Kim".into(), ..Default::default() });
    let update = pb::UpdateCustomerRequest { customer, ..Default::default() };
    assert_eq!(failed(service.customers.update_customer(update).await).1, "CUSTOMER_NOT_ACTIVE");

    service.credit(charge(&name, 1, 50)).await.expect("what was paid is given, on the bare id");
    assert_eq!(read(&mut service, &name).await.display_name, "");
    service.expect_sound().await;
}

#[tokio::test]
async fn a_customer_changes_what_the_mask_names() {
    let mut service = Service::new().await;
    let created = registered(&mut service).await;
    let change = |paths: &[&str], customer: pb::Customer| pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { name: created.name.clone(), ..customer }),
        update_mask: Some(prost_types::FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }),
        ..Default::default()
    };
    let lee = || pb::Customer { display_name: "Lee".into(), etag: created.etag.clone(), ..Default::default() };

    let named = service.customers.update_customer(change(&["display_name"], lee())).await.unwrap().into_inner();
    assert_eq!((named.display_name.as_str(), named.phone_number.as_str()), ("Lee", "+821012345678"));
    assert!(named.notification_consent && named.etag != created.etag);
    let stale = service.customers.update_customer(change(&["display_name"], lee())).await;
    assert_eq!(failed(stale), (Code::Aborted, "ETAG_MISMATCH".into()));

    let all = pb::Customer { display_name: "Park".into(), phone_number: "+491701234567".into(), ..Default::default() };
    let changed = service.customers.update_customer(change(&[], all)).await.unwrap().into_inner();
    assert_eq!((changed.display_name.as_str(), changed.phone_number.as_str()), ("Park", "+491701234567"));
    assert!(!changed.notification_consent);
    let silent = change(&["phone_number"], pb::Customer::default());
    assert_eq!(service.customers.update_customer(silent).await.unwrap().into_inner().phone_number, "");
    assert_eq!(kept(&service).await.len(), 1, "his state is what it was");
}

#[tokio::test]
async fn a_malformed_change_is_named_by_its_field_and_changes_nothing() {
    let mut service = Service::new().await;
    let created = registered(&mut service).await;
    let good = || pb::Customer { etag: String::new(), ..created.clone() };
    let update = |customer| pb::UpdateCustomerRequest { customer: Some(customer), ..Default::default() };
    let masked = |path: &str| pb::UpdateCustomerRequest {
        update_mask: Some(prost_types::FieldMask { paths: vec![path.into()] }),
        ..update(good())
    };
    let wrong = [
        ("customer", pb::UpdateCustomerRequest::default()),
        ("customer.name", update(pb::Customer { name: "kim".into(), ..good() })),
        ("customer.etag", update(pb::Customer { etag: "x".into(), ..good() })),
        ("customer.display_name", update(pb::Customer { display_name: " ".into(), ..good() })),
        ("customer.display_name", update(pb::Customer { display_name: "가".repeat(101), ..good() })),
        ("customer.phone_number", update(pb::Customer { phone_number: "01012345678".into(), ..good() })),
        ("update_mask", masked("state")),
        ("update_mask", masked("")),
        ("request_id", pb::UpdateCustomerRequest { request_id: "1".into(), ..update(good()) }),
    ];
    for (field, request) in wrong {
        let shown = format!("{request:?}");
        assert_eq!(violation(service.customers.update_customer(request).await), field, "{shown}");
    }
    let silent = pb::SuspendCustomerRequest { reason: " ".into(), ..suspend(&created.name, "") };
    assert_eq!(violation(service.customers.suspend_customer(silent).await), "reason");
    let wordy = pb::WithdrawCustomerRequest { reason: "x".repeat(501), ..withdraw(&created.name, "") };
    assert_eq!(violation(service.customers.withdraw_customer(wordy).await), "reason");
    assert_eq!(violation(service.customers.suspend_customer(suspend(&created.name, "x")).await), "etag");
    assert_eq!(read(&mut service, &created.name).await, created);
}

#[tokio::test]
async fn the_same_change_counts_once_whatever_has_happened_since() {
    let mut service = Service::new().await;
    let created = registered(&mut service).await;
    let request_id = Uuid::from_u128(5).to_string();
    let request = pb::SuspendCustomerRequest { request_id, ..suspend(&created.name, &created.etag) };
    let first = service.customers.suspend_customer(request.clone()).await.unwrap().into_inner();
    service.customers.reactivate_customer(reactivate(&created.name, "")).await.unwrap();
    let again = service.customers.suspend_customer(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, first);
    assert_eq!(read(&mut service, &created.name).await.state(), State::Active);
    let other = pb::SuspendCustomerRequest { reason: "another".into(), ..request };
    assert_eq!(failed(service.customers.suspend_customer(other).await).1, "REQUEST_ID_REUSED");
}
