//! Notices to phones when all goes well: who is told, what, and who is not.

use proto::event::v1 as data;

use crate::stage::{HOUR_MS, START_MS, Stage, event, reservation, sold};

const PHONE: &str = "+821012345678";
/// Of somebody without KakaoTalk.
const PLAIN_PHONE: &str = "+821012340000";

#[tokio::test]
async fn who_has_bought_is_told_once_by_alimtalk() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.work().await;
    assert_eq!(stage.states_of(&event).await, ["KAKAO_ALIMTALK PENDING", "DATA_PLATFORM SUCCEEDED"]);
    stage.after(1_000).await;
    assert_eq!(stage.states_of(&event).await, ["KAKAO_ALIMTALK SUCCEEDED", "DATA_PLATFORM SUCCEEDED"]);
    let books = stage.messenger.books();
    let [message] = &books.delivered[..] else { panic!("{books:?}") };
    assert_eq!((message.message_id.as_str(), message.channel.as_str()), (&*event.id.simple().to_string(), "ALIMTALK"));
    assert_eq!((message.template_code.as_str(), message.phone_number.as_str()), ("CHECKOUT_COMPLETED", PHONE));
    assert_eq!(message.expire_time_ms, START_MS + 24 * HOUR_MS);
    let variable = |name: &str| message.variables[name].as_str();
    assert_eq!([variable("title"), variable("seats"), variable("amount")], ["Winter", "Floor A 12, Floor A 13", "300"]);
    stage.expect_sound().await;
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let event = sold(5, kim);
    stage.take(&[event.clone(), event.clone()]).await;
    for _ in 0..3 {
        stage.happens(&event).await;
        stage.after(1_000).await;
    }
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
    let books = stage.platform.books();
    assert_eq!((books.events.len(), books.events.values().sum::<usize>()), (1, 1));
    assert_eq!(stage.messenger.books().repeats_refused, 0);
    stage.expect_sound().await;
}

#[tokio::test]
async fn an_alimtalk_that_does_not_arrive_goes_out_as_one_sms() {
    let mut stage = Stage::new().await;
    let kim = stage.customers.put(1, PLAIN_PHONE, true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.drain(HOUR_MS).await;
    let expected = [
        ("KAKAO_ALIMTALK", "DEAD", "NOT_A_KAKAOTALK_USER"),
        ("SMS", "SUCCEEDED", ""),
        ("DATA_PLATFORM", "SUCCEEDED", ""),
    ];
    let expected = expected.map(|(channel, state, error)| (channel.to_owned(), state.to_owned(), error.to_owned()));
    assert_eq!(stage.deliveries_of(&event).await, expected);
    let books = stage.messenger.books();
    assert_eq!((books.delivered.len(), books.delivered[0].channel.as_str()), (1, "SMS"));
    assert_ne!(books.delivered[0].message_id, books.failed[0].message_id);
    stage.expect_sound().await;
}

#[tokio::test]
async fn who_has_not_consented_or_has_gone_is_not_told() {
    let mut stage = Stage::new().await;
    let silent = stage.customers.put(1, PHONE, false);
    let gone = stage.customers.put(2, PHONE, true);
    stage.customers.withdraw(gone);
    let stranger = uuid::Uuid::from_u128(3);
    for (number, customer, why) in [
        (5, silent, "the customer has not consented"),
        (6, gone, "the customer has withdrawn"),
        (7, stranger, "the customer does not exist"),
    ] {
        let event = sold(number, customer);
        stage.happens(&event).await;
        stage.drain(HOUR_MS).await;
        let (channel, state, error) = stage.deliveries_of(&event).await.remove(0);
        assert_eq!((channel.as_str(), state.as_str(), error.as_str()), ("KAKAO_ALIMTALK", "SKIPPED", why));
    }
    assert_eq!(stage.messenger.books(), Default::default());
    stage.expect_sound().await;
}

#[tokio::test]
async fn consent_counts_as_of_when_the_notice_is_sent() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.happens(&sold(5, kim)).await;
    stage.customers.put(1, PHONE, false);
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), [].into());
}

#[tokio::test]
async fn cancellations_and_charges_are_told_too_and_nothing_else_is() {
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let customer = format!("customers/{kim}");
    let cancelled = data::CancellationCompleted {
        customer: customer.clone(),
        reservation: reservation(5),
        refund_amount: 270,
        fee_amount: 30,
        ..Default::default()
    };
    let charged = data::PointChargeCompleted { customer, amount: 500, balance_after: 770, ..Default::default() };
    for event in [
        event(1, "ticketing.cancellation.completed.v1", &cancelled),
        event(2, "ticketing.pointcharge.completed.v1", &charged),
        event(3, "ticketing.checkout.failed.v1", &data::CheckoutFailed::default()),
        event(4, "ticketing.saga.suspended.v1", &data::SagaSuspended::default()),
        event(5, "ticketing.payment.captured.v1", &data::PaymentCaptured::default()),
        event(6, "ticketing.reservation.held.v1", &data::ReservationHeld::default()),
    ] {
        stage.happens(&event).await;
    }
    stage.drain(HOUR_MS).await;
    let mut delivered = stage.messenger.books().delivered;
    delivered.sort_by(|one, other| one.template_code.cmp(&other.template_code));
    let told: Vec<_> = delivered.iter().map(|message| message.template_code.as_str()).collect();
    assert_eq!(told, ["CANCELLATION_COMPLETED", "POINT_CHARGE_COMPLETED"]);
    assert_eq!((&*delivered[0].variables["fee_amount"], &*delivered[1].variables["balance"]), ("30", "770"));
    assert_eq!(stage.platform.books().events.len(), 5, "all but the hold");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_and_holds_up_no_other() {
    use events::Receipt;
    let stage = Stage::new().await;
    let kim = stage.customers.put(1, PHONE, true);
    let mut garbled = sold(5, kim);
    garbled.data = vec![0xff; 9].into();
    let nobodys = event(6, "ticketing.checkout.completed.v1", &data::CheckoutCompleted::default());
    let mut torn = sold(7, kim);
    torn.source = "/a\0b".into();
    let receipts = stage.take(&[garbled, nobodys, torn, sold(8, kim)]).await;
    for refused in &receipts[..3] {
        assert!(matches!(refused, Receipt::Refused(_)), "{refused:?}");
    }
    assert_eq!(receipts[3], Receipt::Taken);
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.told(), [(reservation(8), 1)].into());
}

#[tokio::test]
async fn nothing_is_made_for_a_channel_that_is_off() {
    let mut stage = Stage::with(|config| config.messenger.url.clear()).await;
    let kim = stage.customers.put(1, PHONE, true);
    let event = sold(5, kim);
    stage.happens(&event).await;
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.states_of(&event).await, ["DATA_PLATFORM SUCCEEDED"]);
    let mut stage = Stage::with(|config| config.platform.url.clear()).await;
    let kim = stage.customers.put(1, PHONE, true);
    stage.happens(&event).await;
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.states_of(&sold(5, kim)).await, ["KAKAO_ALIMTALK SUCCEEDED"]);
    let off = Stage::with(|config| {
        config.messenger.url.clear();
        config.platform.url.clear();
    });
    let off = off.await.deliveries.handler();
    assert!(!off.wants("ticketing.checkout.completed.v1"));
}

#[tokio::test]
async fn events_come_over_http_as_well_once_they_are_signed() {
    use outside::listen::Listening;
    use service_kit::http::{Client, Request};
    let mut stage = Stage::with(|config| config.deliveries.events_secret = "secret".into()).await;
    let kim = stage.customers.put(1, PHONE, true);
    let event = sold(5, kim);
    let listening = Listening::on("127.0.0.1:0", stage.deliveries.pages()).await.unwrap();
    let client = Client::new(&listening.url()).unwrap();
    let body = events::json::encode(&event);
    let sign = |secret: &str| events::signature::sign(secret, &body);
    for (signature, expected) in [(sign("guess"), 401), (sign("secret"), 204), (sign("secret"), 204)] {
        let mut request = Request::get("/events");
        request.method = http::Method::POST;
        request.body = body.clone().into();
        request.headers = vec![
            (http::header::CONTENT_TYPE, events::json::MEDIA_TYPE.parse().unwrap()),
            (events::signature::HEADER.parse().unwrap(), signature.parse().unwrap()),
        ];
        let reply = client.send(request, std::time::Duration::from_secs(9)).await.unwrap();
        assert_eq!(reply.status, expected);
    }
    stage.drain(HOUR_MS).await;
    assert_eq!(stage.states_of(&event).await, ["KAKAO_ALIMTALK SUCCEEDED", "DATA_PLATFORM SUCCEEDED"]);
    assert_eq!(stage.told(), [(reservation(5), 1)].into());
}
