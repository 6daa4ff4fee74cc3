//! What a customer is and which states he goes through. Pure: reading and writing him is the store's affair.

use service_kit::refusal::Refusal;
use tonic::Code;
use uuid::Uuid;

use crate::audit::Cause;
use crate::points::Account;

/// Where a customer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// May buy.
    Active = 1,
    /// Asleep: keeps the balance, may not buy.
    Dormant = 2,
    /// Gone for good.
    Withdrawn = 3,
}

impl State {
    pub(crate) const ALL: [Self; 3] = [Self::Active, Self::Dormant, Self::Withdrawn];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Dormant => "DORMANT",
            Self::Withdrawn => "WITHDRAWN",
        }
    }
}

/// What is to be registered.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) customer: Uuid,
    pub(crate) display_name: String,
    pub(crate) phone_number: String,
    pub(crate) notification_consent: bool,
    pub(crate) cause: Cause,
}

/// A registered customer.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) id: Uuid,
    pub(crate) state: State,
    pub(crate) display_name: String,
    pub(crate) phone_number: String,
    pub(crate) notification_consent: bool,
    pub(crate) version: i64,
    pub(crate) create_time: i64,
    pub(crate) update_time: i64,
    pub(crate) withdraw_time: Option<i64>,
}

/// Which state a customer is to take, which version of him was looked at, and at whose word.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) customer: Uuid,
    pub(crate) to: State,
    pub(crate) seen: Option<i64>,
    pub(crate) cause: Cause,
}

/// What a customer is to be called and where he is to be reached; what is absent stays.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) customer: Uuid,
    pub(crate) seen: Option<i64>,
    pub(crate) display_name: Option<String>,
    pub(crate) phone_number: Option<String>,
    pub(crate) notification_consent: Option<bool>,
}

pub(crate) fn name(customer: Uuid) -> String {
    format!("customers/{customer}")
}

/// Whether the customer may take the state. Falling asleep is for the active, waking up is for all but the withdrawn, and
/// leaving is for all; what he owns is another question.
pub(crate) fn judge(customer: &Customer, change: &Change) -> Result<(), Refusal> {
    judge_version(customer, change.seen)?;
    match (customer.state, change.to) {
        (State::Active, _) | (State::Dormant, State::Active) | (_, State::Withdrawn) => Ok(()),
        (State::Dormant, State::Dormant) | (State::Withdrawn, State::Active | State::Dormant) => {
            Err(not_active(customer.id, customer.state))
        }
    }
}

/// Whether the customer may change what he is called and where he is reached.
pub(crate) fn judge_update(customer: &Customer, update: &Update) -> Result<(), Refusal> {
    judge_version(customer, update.seen)?;
    match customer.state {
        State::Active | State::Dormant => Ok(()),
        State::Withdrawn => Err(not_active(customer.id, customer.state)),
    }
}

/// Whether the customer owns nothing that he would leave behind.
pub(crate) fn judge_leaving(account: &Account) -> Result<(), Refusal> {
    let Account { customer, posted, reserved, .. } = *account;
    if posted == 0 && reserved == 0 {
        return Ok(());
    }
    let message = format!("{} still has {posted} points, {reserved} of them reserved", name(customer));
    Err(Refusal::precondition("POINTS_OUTSTANDING", message).with("posted", posted).with("reserved", reserved))
}

fn judge_version(customer: &Customer, seen: Option<i64>) -> Result<(), Refusal> {
    if seen.is_none_or(|version| version == customer.version) {
        return Ok(());
    }
    let message = format!("{} has changed; read it again", name(customer.id));
    Err(Refusal::new(Code::Aborted, "ETAG_MISMATCH", message))
}

pub(crate) fn not_found(customer: Uuid) -> Refusal {
    Refusal::not_found("CUSTOMER_NOT_FOUND", name(customer))
}

pub(crate) fn already_exists(customer: Uuid) -> Refusal {
    let name = name(customer);
    let message = format!("{name} exists already; choose another customer_id");
    Refusal::new(Code::AlreadyExists, "CUSTOMER_ALREADY_EXISTS", message).with("name", name)
}

pub(crate) fn not_active(customer: Uuid, state: State) -> Refusal {
    let message = format!("{} is {}, not ACTIVE", name(customer), state.name());
    Refusal::precondition("CUSTOMER_NOT_ACTIVE", message).with("state", state.name())
}
