//! The coordinator: accepts checkouts, cancellations and point charges, drives each through its plan, and tells how it stands.
//!
//! ```text
//!  client ──► intake ──► saga::decide ──► journal ──► runner ──► participants ──► customer / concert / payment / token
//!               ▲            ▲  pure        │ commit     │ RPC        │
//!               │            └── Event ◄────┼────────────┴── outcome ◄┘
//!               │                           ├──► status (gRPC, console page)
//!               └── same request_id         └──► relay
//! ```

mod alerts;
pub mod archive;
mod bulk;
mod config;
mod desk;
pub mod exposure;
mod fan_out;
mod faults;
mod follow;
mod intake;
pub mod journal;
pub mod participants;
pub mod plans;
mod process;
pub mod reconcile;
pub mod runner;
pub mod shards;
mod start;
pub mod status;
pub mod verify;

pub use config::Config;
pub use process::{OUTBOX, Process, SERVICES};
pub use start::{Error, Spread, Started, start, start_with};
