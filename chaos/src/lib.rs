//! Real processes under chaos: three orchestrators, four participants and PostgreSQL, customers outside who buy whatever
//! happens, and a nemesis that kills, freezes, cuts off, delays and confuses them as a seed says. In the end everything is
//! mended, every saga has to end, and the books have to be in order.

pub mod binary;
pub mod cluster;
pub mod crowd;
mod judge;
pub mod nemesis;
pub mod network;
pub mod report;
mod run;
pub mod schedule;
pub mod supervisor;
pub mod takeover;
pub mod who;

pub use run::{Settings, run};
