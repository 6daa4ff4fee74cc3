//! The report for people.

use std::collections::BTreeMap;
use std::fmt;

use super::Aftermath;
use crate::paper::{Section, Table, text};

impl fmt::Display for Aftermath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Table::new(&["after the sale", "count"]);
        let parts: [(&str, &BTreeMap<String, u64>); 4] = [
            ("charged by card", &self.charges),
            ("bought with it", &self.purchases),
            ("returned", &self.returns),
            ("told", &self.deliveries),
        ];
        for (what, counts) in parts {
            for (how, count) in counts {
                all.row(format!("{what}: {how}"), [count]);
            }
        }
        f.write_str(&text::section_text(&Section::new("").table(all)))?;
        write!(
            f,
            "a performance was cancelled: {} reservations given back in {:.1} s, {} left",
            self.given_back, self.give_back_seconds, self.left
        )
    }
}
