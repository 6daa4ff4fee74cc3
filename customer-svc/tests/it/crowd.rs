//! Many of everything at once on a few customers, each message sent twice at the same time: whatever was answered must be
//! what the books say, and nothing fails but what a rule refuses.

use std::sync::Arc;

use proto::customer::v1 as pb;
use service_kit::clock::ManualClock;
use service_kit::refusal::{self, SagaOutcome};
use tokio::task::JoinSet;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::harness::{Service, fact, failed, reactivate, refused, suspend};

/// Times that a message is sent until it is answered for certain; the orchestrator has no such bound.
const TRIES: usize = 50;

async fn start(directory: &tempfile::TempDir) -> Service {
    let clock = Arc::new(ManualClock::at(1_000));
    Service::over(testbed::threaded(directory.path(), clock.clone()).await, clock).await
}

/// Sends a message twice at once, each until it is answered for certain.
async fn twice<T: Send + 'static, F>(send: impl Fn(Service) -> F, service: &Service) -> [Result<T, Status>; 2]
where
    F: Future<Output = Result<T, Status>> + Send,
{
    let once = async || {
        for _ in 1..TRIES {
            match send(service.clone()).await {
                Err(status) if SagaOutcome::of(&status) == Some(SagaOutcome::NotApplied) => {}
                Err(status) if status.code() == Code::Unavailable => {}
                answer => return answer,
            }
        }
        send(service.clone()).await
    };
    tokio::join!(once(), once()).into()
}

/// A customer with what happens to his points.
#[derive(Debug, Clone)]
struct Order {
    customer: String,
    id: u128,
    amount: i64,
}

/// Sets points aside, spends them or gives them back, and tells what was spent.
async fn checkout(mut service: Service, order: Order) -> i64 {
    let Order { customer, id, amount } = &order;
    let reserve = |mut service: Service| {
        let Order { customer, id, amount } = order.clone();
        async move { service.reserve(&customer, id, amount).await }
    };
    let [one, two] = twice(reserve, &service).await;
    assert_eq!(one.is_ok(), two.is_ok(), "{one:?} {two:?}");
    if let Ok(reply) = &one {
        assert_eq!(reply, &two.unwrap());
    } else {
        if refused(one.clone()) == "INSUFFICIENT_POINTS" {
            let number = |key| fact(&one, key).parse::<i64>().unwrap();
            assert!(number("available") < number("required"), "{one:?}");
        }
        assert_eq!(refused(one), refused(two));
    }
    if id % 3 == 0 || service.reservation(customer, *id).await != "PENDING" {
        let release = |mut service: Service| {
            let Order { customer, id, .. } = order.clone();
            async move { service.release(&customer, id).await }
        };
        for answer in twice(release, &service).await {
            answer.unwrap();
        }
        return 0;
    }
    let capture = |mut service: Service| {
        let Order { customer, id, .. } = order.clone();
        async move { service.capture(&customer, id).await }
    };
    let [one, two] = twice(capture, &service).await;
    assert_eq!(one.unwrap(), two.unwrap());
    *amount
}

/// Gives or takes points, and tells how many.
async fn correct(service: Service, order: Order) -> i64 {
    let adjust = |mut service: Service| {
        let Order { customer, id, amount } = order.clone();
        async move { service.adjust(&customer, amount, id).await }
    };
    let [one, two] = twice(adjust, &service).await.map(|answer| answer.map_err(|status| refusal::reason(&status)));
    if let (Ok(one), Ok(two)) = (&one, &two) {
        assert_eq!(one, two);
    }
    one.or(two).map_or(0, |entry| entry.amount)
}

/// Puts a customer to sleep and wakes him up again.
async fn doze(service: Service, name: String) {
    let doze = |mut service: Service| {
        let request = suspend(&name, "");
        async move { service.customers.suspend_customer(request).await }
    };
    for answer in twice(doze, &service).await {
        assert!(answer.is_ok() || failed(answer).1 == "CUSTOMER_NOT_ACTIVE");
    }
    let wake = |mut service: Service| {
        let request = reactivate(&name, "");
        async move { service.customers.reactivate_customer(request).await }
    };
    for answer in twice(wake, &service).await {
        answer.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_a_crowd_every_answer_is_what_the_books_say() {
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let mut service = start(&directory).await;
    let mut customers = Vec::new();
    for id in 1_001..=1_003 {
        let customer = service.customer(0).await;
        service.adjust(&customer, 500, id).await.unwrap();
        customers.push(customer);
    }

    let (mut spent, mut given) = (JoinSet::new(), JoinSet::new());
    let mut dozing = JoinSet::new();
    for id in 1..=120 {
        let customer = random.choice(&customers).unwrap().clone();
        let order = |amount| Order { customer: customer.clone(), id, amount };
        spent.spawn(checkout(service.clone(), order(random.i64(1..60))));
        if id % 3 == 0 {
            given.spawn(correct(service.clone(), order(random.i64(1..90) - 50)));
        }
        if id % 20 == 0 {
            dozing.spawn(doze(service.clone(), customer));
        }
    }
    let spent: i64 = spent.join_all().await.into_iter().sum();
    let given: i64 = given.join_all().await.into_iter().sum();
    dozing.join_all().await;

    let mut posted = 0;
    for customer in &customers {
        let (balance, reserved) = service.account(customer).await;
        assert_eq!(reserved, 0);
        posted += balance;
    }
    assert_eq!(posted, 1_500 + given - spent);
    assert!(spent > 0 && given != 0, "vacuous");
    service.expect_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_who_saw_the_same_version_one_changes_the_customer() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = start(&directory).await;
    let name = service.customer(0).await;
    for round in 0..10 {
        let seen = service.customers.get_customer(pb::GetCustomerRequest { name: name.clone() }).await.unwrap();
        let etag = seen.into_inner().etag;
        let mut rivals = JoinSet::new();
        for _ in 0..16 {
            let (mut customers, name, etag) = (service.customers.clone(), name.clone(), etag.clone());
            rivals.spawn(async move {
                if round % 2 == 0 {
                    customers.suspend_customer(suspend(&name, &etag)).await
                } else {
                    customers.reactivate_customer(reactivate(&name, &etag)).await
                }
            });
        }
        let (won, lost): (Vec<_>, Vec<_>) = rivals.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.into_iter().all(|answer| failed(answer) == (Code::Aborted, "ETAG_MISMATCH".into())));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_registrations_with_one_request_id_or_one_name_are_one() {
    let directory = tempfile::tempdir().unwrap();
    let service = start(&directory).await;
    let register = async |customer_id: Option<u128>, request_id: Option<u128>| {
        let mut all = JoinSet::new();
        for _ in 0..16 {
            let text = |id: Option<u128>| id.map_or_else(String::new, |id| Uuid::from_u128(id).to_string());
            let customer = Some(pb::Customer { display_name: "Kim".into(), ..Default::default() });
            let (customer_id, request_id) = (text(customer_id), text(request_id));
            let request = pb::CreateCustomerRequest { customer, customer_id, request_id };
            let mut customers = service.customers.clone();
            all.spawn(async move { customers.create_customer(request).await });
        }
        all.join_all().await
    };

    for request in [(None, Some(1)), (Some(2), Some(3))] {
        let answers = register(request.0, request.1).await;
        let names: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().into_inner().name).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    }
    let (won, lost): (Vec<_>, Vec<_>) = register(Some(4), None).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    let taken = (Code::AlreadyExists, "CUSTOMER_ALREADY_EXISTS".to_owned());
    assert!(lost.into_iter().all(|answer| failed(answer) == taken));
}
