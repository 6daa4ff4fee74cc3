//! Load on a running Skald, and what came of it. Virtual customers buy tickets over gRPC like anybody else; some of them
//! misbehave as a [`Mix`] says, and a fault injector in front of the participants misbehaves as the [`Plan`] says.
//!
//! [`run`] goes through the phases one by one: [`seed()`] prepares reservations, [`fire`] sends the checkouts,
//! [`settle()`] waits until every saga has ended and reads them, and a [`Report`] sums up. Whether the books are in order
//! afterwards is checked elsewhere, by whoever can read the tables. [`aftermath()`] goes on with cards, returns and a cancelled
//! performance.

mod aftermath;
mod client;
mod clock;
mod cpu;
mod drive;
pub mod faults;
mod floor;
mod mix;
mod plan;
mod process;
mod progress;
mod record;
mod report;
mod run;
pub mod scenario;
mod seed;
mod settle;
mod tally;

pub use aftermath::{Aftermath, aftermath};
pub use client::Client;
pub use drive::{Volley, fire};
pub use faults::Faults;
pub use floor::{Floor, Floors, floors};
pub use mix::{Behaviour, Mix};
pub use plan::{Load, Outage, Plan};
pub use process::Process;
pub use progress::Progress;
pub use report::{Input, Latency, Rates, Report};
pub use run::run;
pub use seed::{Order, Sale, Stage, seed};
pub use settle::{Settled, Step, settle};
