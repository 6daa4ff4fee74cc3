//! The schema of every service, as lists of steps that are applied once and never changed: a later need is a later step.
//! Each step is a file of one statement, whose one text serves both engines.
//!
//! Text that is compared by more than equality, or that a key holds, says `collate "binary"`: it is ordered by its bytes
//! whatever language a database was created for, and an upgrade of the system's locales cannot put a key out of order.
//! SQLite knows that collation; on PostgreSQL the engine creates it together with the schema.

use service_kit::db::Migration;

pub mod concert;
pub mod customer;
pub mod events;
pub mod orchestrator;
pub mod payment;
pub mod token;

/// The steps of a service, by the names of their files without the ending.
macro_rules! steps {
    ($service:literal: $($file:literal),+ $(,)?) => {
        &[$($crate::step($file, include_str!(concat!("../", $service, "/", $file, ".sql")))),+]
    };
}
use steps;

/// The step of a file that is called `0001_what_it_makes`.
#[expect(clippy::panic, reason = "it runs while the program is compiled")]
const fn step(file: &'static str, sql: &'static str) -> Migration {
    let (number, name) = file.split_at(4);
    let (_, name) = name.split_at(1);
    match i64::from_str_radix(number, 10) {
        Ok(version) => Migration { version, name, sql },
        Err(_) => panic!("the name of a step's file starts with four digits"),
    }
}
