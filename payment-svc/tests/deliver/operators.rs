//! What operators see and do: lists, another try, counts, and the checks of the books.

use outside::messenger::Behaviour;
use outside::mood::Mood;
use payment_svc::deliver::verify::{self, Paid};
use payment_svc::deliver::{Backlog, Channel, State};
use proto::payment::v1 as pb;
use service_kit::{db, refusal};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::stage::{HOUR_MS, Stage, reservation, sold};

const PHONE: &str = "+821012345678";
const PLAIN_PHONE: &str = "+821012340000";

fn broken() -> Behaviour {
    Behaviour { mood: Mood { error_percent: 100, ..Mood::default() }, ..Behaviour::default() }
}

async fn retry(stage: &mut Stage, name: &str) -> Result<pb::Delivery, Status> {
    let request = pb::RetryDeliveryRequest { name: name.into(), reason: "the provider is back".into() };
    stage.api.retry_delivery(request).await.map(tonic::Response::into_inner)
}

fn failed<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), refusal::reason(&status).unwrap_or_default())
}

fn violation<T: std::fmt::Debug>(result: Result<T, Status>) -> String {
    let status = result.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    status.get_details_bad_request().unwrap().field_violations[0].field.clone()
}

#[tokio::test]
async fn a_delivery_that_was_given_up_arrives_after_another_try() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(broken());
    stage.happens(&sold(5, kim)).await;
    stage.drain(25 * HOUR_MS).await;
    stage.messenger.set(Behaviour::default());
    let dead = stage.list("state = DEAD").await.unwrap().remove(0);
    assert!(dead.end_time.is_some() && dead.next_attempt_time.is_none());
    let again = retry(&mut stage, &dead.name).await.unwrap();
    assert_eq!((again.state(), again.end_time.is_none()), (pb::delivery::State::Retrying, true));
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
    let kept = "select from_state, reason from payment_delivery_retries";
    let kept: Result<Vec<(i64, String)>, db::Error> =
        stage.db.read(async move |tx| tx.fetch_all(kept, &[]).await).await;
    let kept = kept.unwrap();
    assert_eq!(kept, [(State::Dead as i64, "the provider is back".to_owned())]);
    let ended = retry(&mut stage, &dead.name).await;
    stage.after(40 * 24 * HOUR_MS).await;
    stage.deliveries.purge().await.unwrap();
    assert_eq!(stage.list("").await.unwrap(), []);
    assert_eq!(ended.as_ref().unwrap_err().get_details_error_info().unwrap().metadata["state"], "SUCCEEDED");
    assert_eq!(failed(ended), (Code::FailedPrecondition, "DELIVERY_ENDED".into()));
    stage.expect_sound().await;
}

#[tokio::test]
async fn one_that_waits_is_tried_at_once() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(broken());
    stage.happens(&sold(5, kim)).await;
    for _ in 0..6 {
        stage.after(HOUR_MS).await;
    }
    stage.messenger.set(Behaviour::default());
    stage.work().await;
    assert_eq!(stage.told(), [].into());
    let waits = stage.list("state = RETRYING").await.unwrap().remove(0);
    retry(&mut stage, &waits.name).await.unwrap();
    stage.work().await;
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
}

#[tokio::test]
async fn what_went_out_as_an_sms_is_not_sent_again() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PLAIN_PHONE, true);
    stage.happens(&sold(5, kim)).await;
    stage.drain(HOUR_MS).await;
    let dead = stage.list("channel = KAKAO_ALIMTALK").await.unwrap().remove(0);
    assert_eq!(failed(retry(&mut stage, &dead.name).await), (Code::FailedPrecondition, "DELIVERY_ENDED".into()));
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
}

#[tokio::test]
async fn one_that_does_not_exist_or_cannot_is_told_precisely() {
    let mut stage = Stage::new().await;
    let name = format!("deliveries/{}", Uuid::from_u128(9));
    let request = pb::GetDeliveryRequest { name: name.clone() };
    let not_found = (Code::NotFound, "DELIVERY_NOT_FOUND".to_owned());
    assert_eq!(failed(stage.api.get_delivery(request).await), not_found);
    assert_eq!(failed(retry(&mut stage, &name).await), not_found);
    for name in ["", "deliveries/", "deliveries/1", "payments/1"] {
        let request = pb::GetDeliveryRequest { name: name.into() };
        assert_eq!(violation(stage.api.get_delivery(request).await), "name");
        assert_eq!(violation(retry(&mut stage, name).await), "name");
    }
    for reason in [String::new(), " ".into(), "a\0b".into(), "x".repeat(501)] {
        let request = pb::RetryDeliveryRequest { name: name.clone(), reason };
        assert_eq!(violation(stage.api.retry_delivery(request).await), "reason");
    }
    for filter in ["state = GONE", "channel = FAX", "event_id = 1", "saga = x", "state = STATE_UNSPECIFIED"] {
        assert_eq!(violation(stage.list(filter).await), "filter", "{filter}");
    }
    let foreign = pb::ListDeliveriesRequest { page_token: "next".into(), ..Default::default() };
    assert_eq!(violation(stage.api.list_deliveries(foreign).await), "page_token");
    let negative = pb::ListDeliveriesRequest { page_size: -1, ..Default::default() };
    assert_eq!(violation(stage.api.list_deliveries(negative).await), "page_size");
}

#[tokio::test]
async fn deliveries_are_found_by_what_they_are_page_by_page() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let sold: Vec<_> = (1..=3).map(|number| sold(number, kim)).collect();
    stage.take(&sold).await;
    stage.messenger.set(broken());
    stage.work().await;
    for (filter, count) in [
        (String::new(), 6),
        ("channel = DATA_PLATFORM".into(), 3),
        ("channel = SMS".into(), 0),
        ("state = RETRYING".into(), 3),
        (format!("event_id = {}", sold[1].id), 2),
        (format!("event_id = {} AND state = SUCCEEDED", sold[1].id), 1),
        (format!("event_id = {}", Uuid::from_u128(77)), 0),
    ] {
        assert_eq!(stage.list(&filter).await.unwrap().len(), count, "{filter}");
    }
    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListDeliveriesRequest { page_size: 4, page_token, ..Default::default() };
        let page = stage.api.list_deliveries(request).await.unwrap().into_inner();
        names.extend(page.deliveries.into_iter().map(|delivery| delivery.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let all: Vec<_> = stage.list("").await.unwrap().into_iter().map(|delivery| delivery.name).collect();
    assert_eq!(names, all);
    let one = pb::GetDeliveryRequest { name: names[0].clone() };
    let one = stage.api.get_delivery(one).await.unwrap().into_inner();
    assert_eq!((one.event_source.as_str(), one.event_type.as_str()), ("/ticketing/orchestrator", &*sold[0].kind));
    assert!(one.saga.starts_with("sagas/"));
}

#[tokio::test]
async fn the_backlog_tells_what_waits_and_what_was_given_up() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.messenger.set(broken());
    stage.happens(&sold(1, kim)).await;
    stage.drain(25 * HOUR_MS).await;
    stage.messenger.set(Behaviour::default());
    let mut late = sold(2, kim);
    late.expiry_time_ms = Some(late.time_ms + 100 * HOUR_MS);
    stage.happens(&late).await;
    stage.clock.advance(4_000);
    let backlog = stage.deliveries.backlog().await.unwrap();
    let of = |channel, state| backlog.iter().find(|some| (some.channel, some.state) == (channel, state)).copied();
    let some = |channel, state, overdue_ms| Some(Backlog { channel, state, count: 1, overdue_ms });
    assert_eq!(of(Channel::Alimtalk, State::Pending), some(Channel::Alimtalk, State::Pending, 4_000));
    assert_eq!(of(Channel::Alimtalk, State::Dead), some(Channel::Alimtalk, State::Dead, 0));
    assert_eq!(of(Channel::Platform, State::Succeeded), None);
}

#[tokio::test]
async fn the_facts_tell_whom_we_told_of_a_sale() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PLAIN_PHONE, true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.drain(HOUR_MS).await;
    let read = async |after, limit| stage.db.read(async move |tx| verify::paid(tx, after, limit).await).await.unwrap();
    let mut facts: Vec<Paid> = read(Uuid::nil(), 1).await;
    facts.extend(read(facts[0].id, 10).await);
    let mut channels: Vec<_> = facts.iter().map(|fact| fact.channel).collect();
    channels.sort_unstable();
    assert_eq!(channels, ["DATA_PLATFORM", "KAKAO_ALIMTALK", "SMS"]);
    assert!(facts.iter().all(|fact| (fact.saga, fact.event) == (event.correlation, event.id)));
}

#[tokio::test]
async fn every_check_notices_its_violation() {
    let cases = [
        ("D1", "update payment_deliveries set channel = 3"),
        ("D2", "update payment_deliveries set state = 2, next_attempt_time = 1, end_time = null"),
        ("D2", "update payment_deliveries set state = 3, next_attempt_time = null, end_time = 1 where channel <> 2"),
        ("D3", "update payment_deliveries set state = 2 where channel = 1"),
    ];
    for (id, sql) in cases {
        let stage = Stage::new().await;
        let kim = stage.customers.put(1, PLAIN_PHONE, true);
        stage.happens(&sold(5, kim)).await;
        stage.drain(HOUR_MS).await;
        stage.expect_sound().await;
        testbed::without_checks(&stage.db).await.unwrap();
        stage.db.write(async move |tx| tx.execute(sql, &[]).await).await.unwrap();
        let broken: Vec<_> = stage.findings().await.into_iter().map(|(id, _)| id).collect();
        assert!(broken.contains(&id), "{sql}: {broken:?}");
    }
}
