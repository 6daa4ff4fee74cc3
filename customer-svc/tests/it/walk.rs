//! The walk over all customers: who has long been idle falls asleep.

use customer_svc::{Config, walk};
use proto::customer::v1 as pb;
use proto::customer::v1::customer::State;

use crate::harness::{Service, charge, suspend, withdraw};

const DAY: i64 = 86_400_000;
const CONFIG: fn() -> Config = || Config { job_batch: 2, dormancy_ms: 30 * DAY, ..Config::default() };

async fn state(service: &mut Service, name: &str) -> State {
    service.customers.get_customer(pb::GetCustomerRequest { name: name.into() }).await.unwrap().into_inner().state()
}

async fn after(service: &Service, days: i64) {
    service.clock.advance(days * DAY);
    walk(&service.db, CONFIG()).await.unwrap();
}

#[tokio::test]
async fn who_has_long_been_idle_falls_asleep_and_keeps_his_points() {
    let mut service = Service::new().await;
    let mut customers = Vec::new();
    for _ in 0..5 {
        customers.push(service.customer(100).await);
    }
    after(&service, 29).await;
    assert_eq!(state(&mut service, &customers[0]).await, State::Active);
    // What counts: points that move, and what the customer changes.
    service.credit(charge(&customers[0], 1, 5)).await.unwrap();
    service.reserve(&customers[1], 2, 5).await.unwrap();
    let customer = Some(pb::Customer { name: customers[2].clone(), display_name: "Lee".into(), ..Default::default() });
    service.customers.update_customer(pb::UpdateCustomerRequest { customer, ..Default::default() }).await.unwrap();

    after(&service, 2).await;
    let mut states = Vec::new();
    for customer in &customers {
        states.push(state(&mut service, customer).await);
    }
    assert_eq!(states, [State::Active, State::Active, State::Active, State::Dormant, State::Dormant]);
    assert_eq!(service.account(&customers[3]).await, (100, 0));
    let kept: Vec<(String, String, String, i64)> = service
        .rows("select from_state, to_state, actor, version from customer_transitions where from_state <> ''")
        .await;
    assert_eq!(kept, vec![("ACTIVE".to_owned(), "DORMANT".to_owned(), "job".to_owned(), 2); 2]);
    service.expect_sound().await;
}

#[tokio::test]
async fn who_was_put_to_sleep_or_has_left_stays_as_he_is() {
    let mut service = Service::new().await;
    let (asleep, gone) = (service.customer(0).await, service.customer(0).await);
    let asleep = service.customers.suspend_customer(suspend(&asleep, "")).await.unwrap().into_inner();
    let gone = service.customers.withdraw_customer(withdraw(&gone, "")).await.unwrap().into_inner();
    after(&service, 40).await;
    for customer in [asleep, gone] {
        let request = pb::GetCustomerRequest { name: customer.name.clone() };
        assert_eq!(service.customers.get_customer(request).await.unwrap().into_inner(), customer);
    }
}

#[tokio::test]
async fn the_walk_rests_for_a_day_and_goes_on_where_it_was_stopped() {
    let mut service = Service::new().await;
    let customers = [service.customer(0).await, service.customer(0).await, service.customer(0).await];
    after(&service, 1).await;
    let due: Vec<(i64,)> = service.rows("select due_time from customer_jobs where job = 'customer walk'").await;
    walk(&service.db, CONFIG()).await.unwrap();
    assert_eq!(service.rows::<(i64,)>("select due_time from customer_jobs where job = 'customer walk'").await, due);

    // A process took the walk, came past the first customer, and was never seen again.
    service.clock.advance(40 * DAY);
    let first = uuid::Uuid::try_parse(&customers[0]["customers/".len()..]).unwrap();
    service
        .db
        .write(async move |tx| tx.execute("update customer_jobs set cursor_id = $1", service_kit::args![first]).await)
        .await
        .unwrap();
    walk(&service.db, CONFIG()).await.unwrap();
    let mut states = Vec::new();
    for customer in &customers {
        states.push(state(&mut service, customer).await);
    }
    assert_eq!(states, [State::Active, State::Dormant, State::Dormant]);
}
