//! What the processor knows of each payment, by its merchant's id. Pure: the same request always finds the same answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The money is held.
    Authorized,
    /// It was never held, and never will be under this id.
    Declined,
    /// It is taken.
    Captured,
    /// It is not held, and never will be under this id.
    Voided,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The merchant's id.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// What was asked for; 0 when it was voided before that.
    pub amount: i64,
    /// What was taken.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// The processor's own id.
    pub reference: String,
    /// Why it was declined.
    pub code: String,
    /// What was given back, by the merchant's id of it.
    pub refunds: BTreeMap<String, i64>,
    /// Why its capture is declined, each time.
    #[serde(skip)]
    pub capture_code: String,
}

/// A request that is not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum No {
    /// There is no such payment.
    Unknown,
    /// The payment stands otherwise.
    Conflict(Box<Payment>),
    /// The card's bank says no to this request; the payment stands as it was.
    Declined(String),
}

/// All payments.
#[derive(Debug, Default)]
pub(super) struct Books(BTreeMap<String, Payment>);

/// An order to hold money.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) amount: i64,
    pub(super) token: String,
}

impl Books {
    /// Holds the money, or declines for the reason that is given; a known id is answered as it stands.
    pub(super) fn authorize(&mut self, order: &Order, decline: Option<String>) -> Result<Payment, No> {
        let number = self.0.len() + 1;
        let payment = self.0.entry(order.id.clone()).or_insert_with(|| Payment {
            id: order.id.clone(),
            state: if decline.is_some() { State::Declined } else { State::Authorized },
            amount: order.amount,
            captured: 0,
            refunded: 0,
            reference: format!("pr_{number:08}"),
            code: decline.unwrap_or_default(),
            refunds: BTreeMap::new(),
            capture_code: order.token.strip_prefix("tok_capture_").unwrap_or_default().to_owned(),
        });
        let is_same = payment.amount == order.amount || payment.state == State::Voided;
        if is_same { Ok(payment.clone()) } else { Err(No::Conflict(payment.clone().into())) }
    }

    /// Takes what is held, or declines for the reason that is given.
    pub(super) fn capture(&mut self, id: &str, decline: Option<String>) -> Result<Payment, No> {
        let payment = self.0.get_mut(id).ok_or(No::Unknown)?;
        match payment.state {
            State::Captured => return Ok(payment.clone()),
            State::Declined | State::Voided => return Err(No::Conflict(payment.clone().into())),
            State::Authorized => {}
        }
        let decline = decline.or_else(|| Some(payment.capture_code.clone()).filter(|code| !code.is_empty()));
        if let Some(code) = decline {
            return Err(No::Declined(code));
        }
        (payment.state, payment.captured) = (State::Captured, payment.amount);
        Ok(payment.clone())
    }

    /// Holds no more; an id that is not known is barred for ever. What is taken stays so.
    pub(super) fn void(&mut self, id: &str) -> Result<Payment, No> {
        let payment = self.0.entry(id.to_owned()).or_insert_with(|| Payment {
            id: id.to_owned(),
            state: State::Voided,
            amount: 0,
            captured: 0,
            refunded: 0,
            reference: String::new(),
            code: String::new(),
            refunds: BTreeMap::new(),
            capture_code: String::new(),
        });
        match payment.state {
            State::Captured => return Err(No::Conflict(payment.clone().into())),
            State::Authorized => payment.state = State::Voided,
            State::Declined | State::Voided => {}
        }
        Ok(payment.clone())
    }

    /// Gives back some of what is taken; a known refund is not given twice.
    pub(super) fn refund(&mut self, id: &str, refund: &str, amount: i64) -> Result<Payment, No> {
        let payment = self.0.get_mut(id).ok_or(No::Unknown)?;
        match payment.refunds.get(refund) {
            Some(known) if *known == amount => return Ok(payment.clone()),
            Some(_) => return Err(No::Conflict(payment.clone().into())),
            None => {}
        }
        if amount <= 0 || payment.captured - payment.refunded < amount {
            return Err(No::Conflict(payment.clone().into()));
        }
        payment.refunded += amount;
        payment.refunds.insert(refund.to_owned(), amount);
        Ok(payment.clone())
    }

    pub(super) fn payment(&self, id: &str) -> Result<Payment, No> {
        self.0.get(id).cloned().ok_or(No::Unknown)
    }

    pub(super) fn all(&self) -> BTreeMap<String, Payment> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(amount: i64) -> Order {
        Order { id: "a".into(), amount, token: "tok_1".into() }
    }

    fn state(answer: Result<Payment, No>) -> State {
        answer.unwrap().state
    }

    #[test]
    fn the_same_id_finds_the_same_answer() {
        let mut books = Books::default();
        let first = books.authorize(&order(10), None).unwrap();
        assert_eq!(books.authorize(&order(10), Some("late".into())).unwrap(), first);
        assert_eq!(books.authorize(&order(11), None), Err(No::Conflict(first.into())));
        assert_eq!(state(books.capture("a", None)), State::Captured);
        assert_eq!(state(books.capture("a", Some("late".into()))), State::Captured);
        assert_eq!(books.refund("a", "r", 4).unwrap().refunded, 4);
        assert_eq!(books.refund("a", "r", 4).unwrap().refunded, 4);
        assert!(books.refund("a", "r", 5).is_err() && books.refund("a", "s", 7).is_err());
        assert!(books.void("a").is_err());
    }

    #[test]
    fn a_void_wins_over_an_authorisation_that_comes_later() {
        let mut books = Books::default();
        assert_eq!(state(books.void("a")), State::Voided);
        assert_eq!(state(books.authorize(&order(10), None)), State::Voided);
        assert!(matches!(books.capture("a", None), Err(No::Conflict(_))));
        assert_eq!(books.capture("b", None), Err(No::Unknown));
    }

    #[test]
    fn what_is_declined_stays_declined_and_a_declined_capture_takes_nothing() {
        let mut books = Books::default();
        assert_eq!(state(books.authorize(&order(10), Some("lost".into()))), State::Declined);
        assert_eq!(state(books.authorize(&order(10), None)), State::Declined);
        assert_eq!(state(books.void("a")), State::Declined);
        let order = Order { id: "b".into(), amount: 10, token: "tok_capture_expired".into() };
        books.authorize(&order, None).unwrap();
        assert_eq!(books.capture("b", None), Err(No::Declined("expired".into())));
        assert_eq!(state(books.void("b")), State::Voided);
    }
}
