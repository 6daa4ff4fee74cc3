//! Reading payments, one and many.

use proto::payment::v1 as pb;
use tonic::{Code, Status};

use crate::harness::{Service, customer_name, failed, payment_name, reservation_name, saga_name, violation};

async fn list(service: &mut Service, filter: String) -> Result<Vec<String>, Status> {
    let request = pb::ListPaymentsRequest { filter, ..Default::default() };
    let page = service.payments.list_payments(request).await?.into_inner();
    Ok(page.payments.into_iter().map(|payment| payment.name).collect())
}

#[tokio::test]
async fn an_unknown_payment_is_not_found() {
    let mut service = Service::new().await;
    let request = pb::GetPaymentRequest { name: payment_name(1) };
    assert_eq!(failed(service.payments.get_payment(request).await), (Code::NotFound, "PAYMENT_NOT_FOUND".into()));
    for name in ["", "payments/", "payments/1", "sagas/1"] {
        let request = pb::GetPaymentRequest { name: name.into() };
        assert_eq!(violation(service.payments.get_payment(request).await), "name");
    }
}

#[tokio::test]
async fn payments_are_found_by_what_they_are() {
    let mut service = Service::new().await;
    for saga in 1..=3 {
        service.authorize(saga, 10 + saga).await.unwrap();
    }
    service.cancel(2).await.unwrap();
    let [first, second, third] = [1, 2, 3].map(payment_name);
    let cases = [
        (String::new(), vec![&third, &second, &first]),
        (format!("customer = {}", customer_name(1)), vec![&third, &second, &first]),
        (format!("customer = {}", customer_name(2)), vec![]),
        (format!("reference = \"{}\"", reservation_name(12)), vec![&second]),
        (format!("saga = {}", saga_name(3)), vec![&third]),
        ("state = AUTHORIZED AND method = POINT".to_owned(), vec![&third, &first]),
        (format!("saga = {} AND state = CANCELLED", saga_name(3)), vec![]),
        ("method = CARD".to_owned(), vec![]),
    ];
    for (filter, expected) in cases {
        let found = list(&mut service, filter.clone()).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter}");
    }
}

#[tokio::test]
async fn payments_are_listed_newest_first_page_by_page() {
    let mut service = Service::new().await;
    for saga in 1..=3 {
        service.authorize(saga, 10 + saga).await.unwrap();
    }
    let mut request = pb::ListPaymentsRequest { page_size: 2, ..Default::default() };
    let first = service.payments.list_payments(request.clone()).await.unwrap().into_inner();
    let names =
        |page: &pb::ListPaymentsResponse| page.payments.iter().map(|payment| payment.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&first), [3, 2].map(payment_name));
    request.page_token = first.next_page_token;
    let second = service.payments.list_payments(request).await.unwrap().into_inner();
    assert_eq!((names(&second), second.next_page_token.as_str()), (vec![payment_name(1)], ""));
}

#[tokio::test]
async fn a_list_that_cannot_be_made_is_refused() {
    let mut service = Service::new().await;
    for filter in ["state = PAID", "state = STATE_UNSPECIFIED", "saga = 1", "customer = kim", "amount = 3", "state"] {
        assert_eq!(violation(list(&mut service, filter.to_owned()).await), "filter", "{filter}");
    }
    let negative = pb::ListPaymentsRequest { page_size: -1, ..Default::default() };
    assert_eq!(violation(service.payments.list_payments(negative).await), "page_size");
    let foreign = pb::ListPaymentsRequest { page_token: "next".into(), ..Default::default() };
    assert_eq!(violation(service.payments.list_payments(foreign).await), "page_token");
}
