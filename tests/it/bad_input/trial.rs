//! One stage on which many bad requests are tried, and what went wrong with any of them.

use testbed::books::{Books, Reader};
use tonic::{Code, Status};

use super::call::{self, Sent};
use super::contract::{Contract, Method};
use super::message::{Place, Value, places, with};
use super::stage::{OTHERS, Stage};

pub(super) struct Trial {
    pub(super) stage: Stage,
    pub(super) contract: Contract,
    reader: Reader,
    books: Books,
    problems: Vec<String>,
}

impl Trial {
    pub(super) async fn new() -> Self {
        let stage = Stage::new().await;
        let reader = Reader::new(&stage.world.db, &OTHERS).await.unwrap();
        let books = reader.read(&stage.world.db).await.unwrap();
        Self { stage, contract: Contract::read(), reader, books, problems: Vec::new() }
    }

    /// All methods, with a request that each accepts.
    pub(super) fn samples(&self) -> Vec<(Method, Sent)> {
        self.contract.methods.iter().map(|method| (method.clone(), self.stage.sample(method))).collect()
    }

    pub(super) fn sample(&self, name: &str) -> (Method, Sent) {
        self.samples().into_iter().find(|(method, _)| method.name == name).expect("there is such a method")
    }

    /// The sample with another valid text in it.
    pub(super) fn spoilt(&self, name: &str) -> (Method, Sent) {
        let (method, sent) = self.sample(name);
        let places = places(&self.contract, &method.request, &sent.message);
        let texts = ["title", "venue", "display_name", "seats"];
        let place = places.iter().find(|place| texts.contains(&place.last_name())).expect("it has a text");
        let text = place.value.as_ref().unwrap().as_text().to_owned() + "9";
        let message = with(&sent.message, &place.path, Some(&Value::text(text)));
        (method, Sent { message, ..sent })
    }

    /// Takes the tables as they are now for what they must stay.
    pub(super) async fn look_again(&mut self) {
        self.books = self.reader.read(&self.stage.world.db).await.unwrap();
    }

    /// Sends what must be refused, and must change nothing.
    pub(super) async fn refused(&mut self, method: &Method, sent: Sent) -> Option<Status> {
        self.refused_unless(false, method, sent).await
    }

    /// The same, or what may also be found to have nothing to do.
    pub(super) async fn refused_unless(&mut self, content: bool, method: &Method, sent: Sent) -> Option<Status> {
        let answer = self.stage.call(method, &sent).await;
        let before = self.books.clone();
        self.look_again().await;
        let changed = before.changed(&self.books);
        // That a step was refused, or taken back, is noted for its repeats.
        let noted = changed.iter().all(|table| table.ends_with("_saga_op"));
        match &answer {
            Ok(_) if content && noted => {}
            Ok(_) => self.problems.push(format!("accepted, changing {changed:?}: {sent:?}")),
            Err(status) => {
                call::expect_well_formed(status, &sent);
                if !(changed.is_empty() || noted && call::is_kept(status)) {
                    self.problems.push(format!("refused, but {changed:?} changed: {sent:?}"));
                }
            }
        }
        answer.err()
    }

    /// The refusal must name the field, or what contains it, or what it contains.
    pub(super) fn expect_named(&mut self, method: &Method, place: &Place, status: Option<Status>) {
        let Some(status) = status else { return };
        let named = |(field, _): &(String, String)| {
            let field: String =
                field.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
            place.name == field
                || place.name.starts_with(&format!("{field}."))
                || field.starts_with(&format!("{}.", place.name))
        };
        let is_named = status.code() == Code::InvalidArgument && call::violations(&status).iter().any(named);
        if !is_named {
            self.problems.push(format!("{} of {}: {status:?}", place.name, method.name));
        }
    }

    pub(super) fn expect_violation(&mut self, method: &Method, status: Option<Status>, field: &str) {
        let Some(status) = status else { return };
        if !call::violations(&status).iter().any(|(named, _)| named == field) {
            self.problems.push(format!("{field} of {}: {status:?}", method.name));
        }
    }

    pub(super) fn expect_code(&mut self, method: &Method, place: &Place, status: Option<Status>, code: Code) {
        let Some(status) = status else { return };
        if status.code() != code {
            self.problems.push(format!("{} of {}: {status:?}", place.name, method.name));
        }
    }

    pub(super) fn end(self) {
        assert!(self.problems.is_empty(), "{} problems:\n{}", self.problems.len(), self.problems.join("\n"));
    }
}
