//! The list of sagas: what a visitor wants to see, and each saga as a line.

use service_kit::refusal::Fault;

use super::text;
use crate::desk::Desk;
use crate::faults;
use crate::journal::{Query, Record};
use crate::plans::checkout;
use crate::status::listing::{Ask, Page};
use crate::status::wire::{CATALOGUE, failure_of};

/// Suspended sagas that are counted; beyond, there are simply many.
const COUNTED: usize = 100;
const PAGE_SIZE: i32 = 50;

/// What a visitor wants to see, as the form has it. What makes no sense finds nothing, or is left out.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) state: String,
    pub(super) customer: String,
    pub(super) reservation: String,
    page: String,
}

impl Wanted {
    pub(super) fn read(parameters: Vec<(String, String)>) -> Self {
        let mut wanted = Self::default();
        for (name, value) in parameters {
            let value = value.trim();
            match name.as_str() {
                "state" => wanted.state = value.to_uppercase(),
                "customer" => wanted.customer = named("customers", value),
                "reservation" => wanted.reservation = named("reservations", value),
                "page" => wanted.page = value.to_owned(),
                _ => {}
            }
        }
        wanted
    }

    fn filter(&self) -> String {
        let state = CATALOGUE.states.iter().find(|(name, _)| *name == self.state);
        let terms = [
            state.map(|(name, _)| format!("state = {name}")),
            quoted("customer", &self.customer),
            quoted("reservation", &self.reservation),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" AND ")
    }
}
