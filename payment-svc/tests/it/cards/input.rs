//! Cards on the wire, and that the number of a card is nowhere.

use std::io::Write;
use std::sync::{Arc, Mutex};

use outside::processor::Faults;
use proto::payment::v1 as pb;
use proto::payment::v1::payment::Method;
use tonic_types::StatusExt as _;

use super::{Cards, charge, checkout, pending};
use crate::harness::{reservation_name, violation};

const NUMBER: &str = "4000056655665556";

#[tokio::test]
async fn a_malformed_card_is_named_by_its_field() {
    let mut cards = Cards::new().await;
    let good = charge(1, "tok_1");
    let wrong = [
        ("processor_token", pb::AuthorizePaymentRequest { processor_token: String::new(), ..good.clone() }),
        ("processor_token", pb::AuthorizePaymentRequest { processor_token: "x".repeat(256), ..good.clone() }),
        ("processor_token", pb::AuthorizePaymentRequest { processor_token: "tok\n".into(), ..good.clone() }),
        ("processor_token", pb::AuthorizePaymentRequest { processor_token: NUMBER.into(), ..good.clone() }),
        ("card_last_four", pb::AuthorizePaymentRequest { card_last_four: NUMBER.into(), ..good.clone() }),
        ("card_last_four", pb::AuthorizePaymentRequest { card_last_four: "12a4".into(), ..good.clone() }),
        ("method", pb::AuthorizePaymentRequest { method: Method::Point.into(), ..good.clone() }),
        ("reference", pb::AuthorizePaymentRequest { reference: reservation_name(1), ..good.clone() }),
        ("reference", pb::AuthorizePaymentRequest { reference: good.reference.clone(), ..checkout(1, 1, "tok_1") }),
    ];
    for (field, request) in wrong {
        let answer = cards.authorize(request).await;
        let details = format!("{:?} {:?}", answer, answer.as_ref().unwrap_err().get_error_details());
        assert!(!details.contains(NUMBER), "it is told nobody");
        assert_eq!(violation(answer), field);
    }
    assert!(cards.processor.books().is_empty());
    cards.charge(1, "tok_1").await.expect("a wrong order bars nothing");
}

#[tokio::test]
async fn neither_a_number_nor_a_used_token_is_stored() {
    let mut cards = Cards::new().await;
    cards.authorize(pb::AuthorizePaymentRequest { processor_token: NUMBER.into(), ..charge(1, "") }).await.unwrap_err();
    cards.charge(2, "tok_1").await.unwrap();
    cards.capture(2).await.unwrap();
    cards.charge(3, "tok_decline_lost_card").await.unwrap_err();
    let reader = testbed::books::Reader::new(&cards.service.db, &[]).await.unwrap();
    let books = format!("{:?}", reader.read(&cards.service.db).await.unwrap());
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    for secret in [NUMBER, "tok_"] {
        assert!(!books.contains(secret) && !books.contains(&hex(secret)), "{secret}");
    }
    assert!(books.contains("4242") && books.contains(&hex("4242")), "the look finds what is there");
}

#[tokio::test]
async fn neither_a_number_nor_a_token_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let _guard = tracing::subscriber::set_default(subscriber.with_writer(move || writer.clone()).finish());
    let mut cards = Cards::new().await;
    cards.authorize(pb::AuthorizePaymentRequest { processor_token: NUMBER.into(), ..charge(1, "") }).await.unwrap_err();
    cards.misbehave(Faults { lose_reply: 1000, ..Faults::default() });
    pending(cards.charge(2, "tok_1").await);
    cards.behave();
    cards.drain().await;
    cards.charge(3, "tok_decline_lost_card").await.unwrap_err();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the processor has not answered"), "the look finds what is there: {log}");
    for secret in [NUMBER, "tok_"] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// What has been logged so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
