//! Registering, reading and listing customers.

use proto::customer::v1 as pb;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{Service, failed, violation};

fn kim(id: u128) -> pb::CreateCustomerRequest {
    let customer = pb::Customer {
        display_name: "Kim".into(),
        phone_number: "+821012345678".into(),
        notification_consent: true,
        ..Default::default()
    };
    let customer_id = Uuid::from_u128(id).to_string();
    pb::CreateCustomerRequest { customer: Some(customer), customer_id, request_id: String::new() }
}

fn get(id: u128) -> pb::GetCustomerRequest {
    pb::GetCustomerRequest { name: format!("customers/{}", Uuid::from_u128(id)) }
}

#[tokio::test]
async fn a_registered_customer_is_active_and_has_no_points() {
    let mut service = Service::new().await;
    let created = service.customers.create_customer(kim(1)).await.unwrap().into_inner();
    assert_eq!(created.name, get(1).name);
    assert_eq!(created.state(), pb::customer::State::Active);
    assert_eq!((created.phone_number.as_str(), created.notification_consent), ("+821012345678", true));
    assert_eq!(service.customers.get_customer(get(1)).await.unwrap().into_inner(), created);
    assert_eq!(service.account(&created.name).await, (0, 0));
    service.expect_sound().await;
}

#[tokio::test]
async fn the_same_registration_counts_once() {
    let mut service = Service::new().await;
    let mut request = kim(1);
    request.customer_id.clear();
    request.request_id = Uuid::from_u128(9).to_string();
    let first = service.customers.create_customer(request.clone()).await.unwrap().into_inner();
    let again = service.customers.create_customer(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, first);

    request.customer.as_mut().unwrap().display_name = "Lee".into();
    let other = service.customers.create_customer(request).await;
    assert_eq!(failed(other), (Code::InvalidArgument, "REQUEST_ID_REUSED".into()));
}

#[tokio::test]
async fn a_taken_id_is_not_given_twice() {
    let mut service = Service::new().await;
    service.customers.create_customer(kim(1)).await.unwrap();
    let again = service.customers.create_customer(kim(1)).await;
    assert_eq!(failed(again), (Code::AlreadyExists, "CUSTOMER_ALREADY_EXISTS".into()));
}

#[tokio::test]
async fn a_malformed_customer_is_not_registered() {
    let mut service = Service::new().await;
    let mut wrong: Vec<(&str, pb::CreateCustomerRequest)> = Vec::new();
    wrong.push(("customer", pb::CreateCustomerRequest::default()));
    wrong.push(("customer_id", pb::CreateCustomerRequest { customer_id: "kim".into(), ..kim(1) }));
    wrong.push(("request_id", pb::CreateCustomerRequest { request_id: "1".into(), ..kim(1) }));
    for display_name in [String::new(), "  ".into(), "가".repeat(101), "a\nb".into()] {
        let mut request = kim(1);
        request.customer.as_mut().unwrap().display_name = display_name;
        wrong.push(("customer.display_name", request));
    }
    for phone_number in ["01012345678", "+0123", "+1", "+12345678901234567", "+82-10", "+"] {
        let mut request = kim(1);
        request.customer.as_mut().unwrap().phone_number = phone_number.into();
        wrong.push(("customer.phone_number", request));
    }
    for (field, request) in wrong {
        let shown = format!("{request:?}");
        assert_eq!(violation(service.customers.create_customer(request).await), field, "{shown}");
    }
    assert_eq!(failed(service.customers.get_customer(get(1)).await).0, Code::NotFound);
    let mut longest = kim(1);
    longest.customer.as_mut().unwrap().display_name = "가".repeat(100);
    service.customers.create_customer(longest).await.unwrap();
}

#[tokio::test]
async fn an_unknown_customer_is_not_found() {
    let mut service = Service::new().await;
    assert_eq!(failed(service.customers.get_customer(get(1)).await), (Code::NotFound, "CUSTOMER_NOT_FOUND".into()));
    for name in ["", "customers/", "customers/1", "concerts/x", "customers/a/b"] {
        let request = pb::GetCustomerRequest { name: name.into() };
        assert_eq!(violation(service.customers.get_customer(request).await), "name");
    }
}

#[tokio::test]
async fn customers_are_listed_oldest_first_page_by_page() {
    let mut service = Service::new().await;
    for id in [3, 1, 2] {
        service.customers.create_customer(kim(id)).await.unwrap();
    }
    let mut request = pb::ListCustomersRequest { page_size: 2, ..Default::default() };
    let first = service.customers.list_customers(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.customers.iter().map(|found| &found.name).collect::<Vec<_>>(), [&get(1).name, &get(2).name]);
    request.page_token = first.next_page_token;
    let second = service.customers.list_customers(request).await.unwrap().into_inner();
    assert_eq!((second.customers[0].name.as_str(), second.customers.len()), (get(3).name.as_str(), 1));
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn a_list_that_cannot_be_made_is_refused() {
    let mut service = Service::new().await;
    let wrong = [
        ("page_size", pb::ListCustomersRequest { page_size: -1, ..Default::default() }),
        ("page_token", pb::ListCustomersRequest { page_token: "x".into(), ..Default::default() }),
        ("filter", pb::ListCustomersRequest { filter: "state = RICH".into(), ..Default::default() }),
        ("filter", pb::ListCustomersRequest { filter: "name = x".into(), ..Default::default() }),
    ];
    for (field, request) in wrong {
        assert_eq!(violation(service.customers.list_customers(request).await), field);
    }
    let greedy = pb::ListCustomersRequest { page_size: i32::MAX, ..Default::default() };
    service.customers.list_customers(greedy).await.unwrap();
}
