//! Everybody in a run: processes, and who calls them.

use std::fmt;

use serde::Serialize;

/// Replicas of the orchestrator.
pub const REPLICAS: usize = 3;

/// Somebody who calls or is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The customers, outside.
    Customers,
    /// A replica of the orchestrator.
    Orchestrator(usize),
    /// concert-svc.
    Concert,
    /// customer-svc.
    Customer,
    /// payment-svc.
    Payment,
    /// token-svc.
    Token,
    /// PostgreSQL.
    Database,
    /// The card processor, outside.
    Processor,
}

/// The services that a saga calls.
pub const PARTICIPANTS: [Who; 4] = [Who::Concert, Who::Customer, Who::Payment, Who::Token];

impl Who {
    /// The replicas.
    pub fn replicas() -> impl Iterator<Item = Self> {
        (0..REPLICAS).map(Self::Orchestrator)
    }

    /// The processes of the system, those first who call nobody that comes later.
    pub fn parts() -> impl Iterator<Item = Self> {
        [Self::Token, Self::Customer, Self::Payment, Self::Concert].into_iter().chain(Self::replicas())
    }

    /// The name of its command and of its settings.
    pub fn service(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Orchestrator(_) => "orchestrator",
            Self::Concert => "concert",
            Self::Customer => "customer",
            Self::Payment => "payment",
            Self::Token => "token",
            Self::Database => "database",
            Self::Processor => "processor",
        }
    }

    /// Whom it calls.
    pub fn calls(self) -> Vec<Self> {
        match self {
            Self::Customers => Self::parts().collect(),
            Self::Orchestrator(_) => PARTICIPANTS.into_iter().chain([Self::Database]).collect(),
            Self::Concert => vec![Self::Token, Self::Database],
            Self::Payment => vec![Self::Processor, Self::Database],
            Self::Customer | Self::Token => vec![Self::Database],
            Self::Database | Self::Processor => Vec::new(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Orchestrator(number) = self {
            return f.pad(&format!("orchestrator-{number}"));
        }
        f.pad(self.service())
    }
}
