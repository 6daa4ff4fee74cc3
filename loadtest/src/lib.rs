//! Load on a running Skald, and what came of it. Virtual customers buy tickets over gRPC like anybody else; some of them
//! misbehave as a [`Mix`] says, and a fault injector in front of the participants misbehaves as the [`Plan`] says.
//!
//! [`run`] goes through the phases one by one: [`seed()`] prepares reservations, [`fire`] sends the checkouts,
//! [`settle()`] waits until every saga has ended and reads them, and a [`Report`] sums up. Whether the books are in order
//! afterwards is checked elsewhere, by whoever can read the tables. [`aftermath()`] goes on with cards, returns and a cancelled
//! performance. What a run of the binary has found out is one value of [`findings::Findings`], however it is written down.

mod aftermath;
mod books;
mod client;
mod clock;
mod cpu;
mod drive;
pub mod faults;
pub mod findings;
mod floor;
pub mod knee;
mod machine;
mod mix;
pub mod paper;
mod plan;
mod process;
mod progress;
mod record;
mod report;
mod run;
pub mod scenario;
mod seed;
mod settle;
pub mod system;
mod tally;
mod verdict;
mod watch;
mod zipf;

pub use aftermath::{Aftermath, aftermath};
pub use books::{Left, Orders};
pub use client::{Client, Line};
pub use drive::{Undone, Volley, fire};
pub use faults::Faults;
pub use floor::{Floor, Floors, floors};
pub use machine::Machine;
pub use mix::{Behaviour, Mix};
pub use plan::{Episode, Load, Plan};
pub use process::Process;
pub use progress::Progress;
pub use report::{Input, Latency, Rates, Report, Spectrum};
pub use run::run;
pub use seed::{Order, Sale, Stage, seed};
pub use settle::{Settled, Step, settle};
pub use tally::Second;
pub use verdict::{Rule, Verdict};
pub use watch::{Backlog, Sample, Samples, Watch};
