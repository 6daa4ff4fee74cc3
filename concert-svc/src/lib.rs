//! The concert service: the catalogue of concerts, performances and seats, and the reservations of those seats. It is
//! given a [`Host`](service_kit::host::Host) and returns gRPC routes. A seat is held, locked and sold by conditional
//! updates of its own row, so that no two customers ever have it; a checkout saga drives the rest.

mod announce;
mod api;
mod availability;
mod best;
mod cancellation;
mod cancelled_performance;
mod change;
mod check_in;
mod checkout;
mod concert;
mod config;
mod hold;
pub mod jobs;
mod not_found;
mod process;
mod record;
mod reservation;
mod seat;
mod seat_map;
mod start;
mod state;
mod stock;
mod store;
mod terms;
mod ticket;
pub mod verify;
pub mod waiting_room;
mod wire;

pub use config::Config;
pub use process::{OUTBOX, Process, SERVICES};
pub use start::{HoldPlaced, start};
