//! The coordinator: accepts checkouts, drives each through its plan, and tells how it stands.
//!
//! ```text
//!  client ──► intake ──► saga::decide ──► journal ──► runner ──► participants ──► customer / concert / payment / token
//!               ▲            ▲  pure        │ commit     │ RPC        │
//!               │            └── Event ◄────┼────────────┴── outcome ◄┘
//!               │                           ├──► status (gRPC, console page)
//!               └── same request_id         └──► relay
//! ```

pub mod journal;
pub mod participants;
pub mod plans;
pub mod runner;
pub mod status;
pub mod verify;
