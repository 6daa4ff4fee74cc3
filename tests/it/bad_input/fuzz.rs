//! Requests in which fields have got each other's values, letters are wrong, bits have flipped, and parts are missing. Some
//! are no messages any more, and some are other valid ones: those may do what they say, and the books of each service must
//! be in order all the same.

use fastrand::Rng;
use prost_types::field_descriptor_proto::Type;
use service_kit::db::{Db, Error};
use service_kit::verify::Finding;
use testbed::books::Reader;

use super::call::{self, Sent};
use super::contract::{Contract, Method};
use super::message::{Place, Value, places, with};
use super::stage::{OTHERS, Stage};
use super::wrong;

/// Calls of each method: a few thousand in all.
const CALLS: usize = 60;

#[tokio::test(start_paused = true)]
async fn whatever_arrives_no_service_breaks() {
    let contract = Contract::read();
    let texts = texts(&contract).await;
    // Over a network each call takes longer.
    let calls = if testbed::Engine::named() == testbed::Engine::Postgres { CALLS / 6 } else { CALLS };
    for (seed, method) in (0..).zip(&contract.methods) {
        let stage = Stage::new().await;
        let sample = stage.sample(method);
        let reader = Reader::new(&stage.world.db, &OTHERS).await.unwrap();
        let random = Rng::with_seed(seed);
        let mut fuzz = Fuzz { stage: &stage, contract: &contract, reader, texts: &texts, random };
        for _ in 0..calls {
            fuzz.one(method, &sample).await;
        }
        stage.world.settle().await;
        let broken = broken(&stage.world.db).await;
        assert!(broken.is_empty(), "after {}: {broken:?}", method.name);
    }
}

/// What breaks a rule of one service. Calls from nowhere break those about sagas and their effects in the services.
async fn broken(db: &Db) -> Vec<Finding> {
    let rules = [
        concert_svc::verify::CHECKS,
        customer_svc::verify::CHECKS,
        payment_svc::verify::CHECKS,
        payment_svc::deliver::verify::CHECKS,
        token_svc::verify::CHECKS,
        orchestrator::verify::CHECKS,
    ];
    let findings = db.read(async move |tx| {
        let mut findings = Vec::new();
        for rule in rules.into_iter().flatten() {
            findings.extend(rule.findings(tx).await?);
        }
        Ok::<_, Error>(findings)
    });
    findings.await.unwrap()
}

/// All texts of the samples.
async fn texts(contract: &Contract) -> Vec<Value> {
    let stage = Stage::new().await;
    let all =
        contract.methods.iter().flat_map(|method| places(contract, &method.request, &stage.sample(method).message));
    all.filter(|place| place.field.r#type() == Type::String).filter_map(|place| place.value).collect()
}

struct Fuzz<'a> {
    stage: &'a Stage,
    contract: &'a Contract,
    reader: Reader,
    texts: &'a [Value],
    random: Rng,
}

impl Fuzz<'_> {
    async fn one(&mut self, method: &Method, sample: &Sent) {
        let sent = self.spoilt(method, sample);
        let db = &self.stage.world.db;
        let before = self.reader.read(db).await.unwrap();
        match self.stage.call(method, &sent).await {
            Ok(_) if method.package == "ticketing.orchestrator.v1" => self.stage.world.settle().await,
            Ok(_) => {}
            Err(status) => {
                call::expect_well_formed(&status, &sent);
                let changed = before.changed(&self.reader.read(db).await.unwrap());
                let noted = call::is_kept(&status) && changed.iter().all(|table| table.ends_with("_saga_op"));
                assert!(noted || changed.is_empty(), "{status:?} changed {changed:?}: {sent:?}");
            }
        }
    }

    fn spoilt(&mut self, method: &Method, sample: &Sent) -> Sent {
        let mut sent = sample.clone();
        let all = places(self.contract, &method.request, &sent.message);
        if let Some(place) = all.iter().find(|place| place.name == "request_id").filter(|_| self.random.bool()) {
            let fresh = Value::text(self.stage.world.id().to_string());
            sent.message = with(&sent.message, &place.path, Some(&fresh));
        }
        for _ in 0..self.random.usize(..3) {
            let places = places(self.contract, &method.request, &sent.message);
            if !places.is_empty() {
                let place = &places[self.random.usize(..places.len())];
                sent.message = with(&sent.message, &place.path, self.value(place).as_ref());
            }
        }
        if self.random.u8(..4) == 0 {
            self.spoil_bytes(&mut sent.message);
        }
        if self.random.u8(..8) == 0 {
            sent.metadata.iter_mut().for_each(|(_, value)| *value = self.random.i64(..).to_string());
        }
        sent
    }

    /// Some value that the field can hold, or none.
    fn value(&mut self, place: &Place) -> Option<Value> {
        let random = &mut self.random;
        let wrong = wrong::values(place);
        let kind = place.field.r#type();
        if kind == Type::Message || random.u8(..8) == 0 {
            return None;
        }
        Some(if !wrong.is_empty() && random.bool() {
            wrong[random.usize(..wrong.len())].clone()
        } else if kind == Type::String {
            self.text()
        } else if kind == Type::Double {
            Value::Fixed(random.u64(..))
        } else if kind == Type::Int64 && random.bool() {
            Value::int(random.i64(..))
        } else {
            Value::int(random.i64(-2..10))
        })
    }

    /// A text from some sample, now and then with a wrong letter.
    fn text(&mut self) -> Value {
        let random = &mut self.random;
        let mut text = self.texts[random.usize(..self.texts.len())].as_text().to_owned();
        let at = random.usize(..=text.len());
        match random.u8(..4) {
            0 => text.truncate(at),
            1 => text.insert(at, random.char(..)),
            2 if at < text.len() => drop(text.remove(at)),
            _ => {}
        }
        Value::text(text)
    }

    fn spoil_bytes(&mut self, message: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.usize(..=message.len());
        match random.u8(..6) {
            0 => message.truncate(at),
            1 => message.insert(at, random.u8(..)),
            // The largest number that a field can hold.
            2 => drop(message.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])),
            3 => message.extend_from_within(at..),
            4 if at < message.len() => drop(message.remove(at)),
            _ if at < message.len() => message[at] ^= 1 << random.u8(..8),
            _ => {}
        }
    }
}
