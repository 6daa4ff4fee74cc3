//! Everybody in a run: processes, who calls whom, and the two ways to cast a system from them.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// Replicas of the orchestrator.
const REPLICAS: usize = 3;

/// Somebody who calls or is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The customers, outside.
    Customers,
    /// A replica of the orchestrator.
    Orchestrator(usize),
    /// Everything in one process.
    Skald,
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

/// What the system consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Cast {
    /// Three orchestrators and four participants on PostgreSQL.
    Apart,
    /// One process on an SQLite file.
    One,
}

impl Cast {
    /// Those that drive sagas.
    pub fn replicas(self) -> Vec<Who> {
        match self {
            Self::Apart => (0..REPLICAS).map(Who::Orchestrator).collect(),
            Self::One => vec![Who::Skald],
        }
    }

    /// The services that a saga calls, where they are processes, those first who call nobody that comes later.
    pub fn participants(self) -> Vec<Who> {
        match self {
            Self::Apart => vec![Who::Token, Who::Customer, Who::Payment, Who::Concert],
            Self::One => Vec::new(),
        }
    }

    /// The processes of the system, in the order in which they are started.
    pub fn parts(self) -> Vec<Who> {
        [self.participants(), self.replicas()].concat()
    }

    /// Whom somebody calls.
    pub fn calls(self, who: Who) -> Vec<Who> {
        match who {
            Who::Customers => self.parts(),
            Who::Orchestrator(_) => [self.participants(), vec![Who::Database]].concat(),
            Who::Skald => vec![Who::Processor],
            Who::Concert => vec![Who::Token, Who::Database],
            Who::Payment => vec![Who::Processor, Who::Database],
            Who::Customer | Who::Token => vec![Who::Database],
            Who::Database | Who::Processor => Vec::new(),
        }
    }
}

impl Who {
    /// The name of its command and of its settings.
    pub fn service(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Orchestrator(_) => "orchestrator",
            Self::Skald => "up",
            Self::Concert => "concert",
            Self::Customer => "customer",
            Self::Payment => "payment",
            Self::Token => "token",
            Self::Database => "database",
            Self::Processor => "processor",
        }
    }

    /// Whether it drives sagas.
    pub fn is_replica(self) -> bool {
        matches!(self, Self::Orchestrator(_) | Self::Skald)
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
