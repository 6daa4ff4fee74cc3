//! Everything that a run has found out: one value, written as JSON for programs, and as text, Markdown or a page for people.

use std::fmt;

use serde::Serialize;

use crate::books::Orders;
use crate::floor::{Floor, Floors};
use crate::knee::Knee;
use crate::machine::Machine;
use crate::paper::{self, Paper, Section, Table, figure};
use crate::report::Report;
use crate::scenario::{Comparison, Crush, Drills, Fall, Room, falls_section};
use crate::verdict::Verdict;
use crate::watch::Samples;

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Findings {
    /// The name of the run.
    pub title: String,
    /// What it shows.
    pub shows: String,
    /// Where and with what it was made.
    pub machine: Machine,
    /// How it was set up, by name.
    pub setting: Vec<(String, String)>,
    /// The same seed makes the same run.
    pub seed: u64,
    /// What the machine can do at best, measured in the same run.
    pub floors: Option<Floors>,
    /// What is compared with it.
    pub ours: Option<Ours>,
    /// What was found out.
    pub parts: Vec<Part>,
    /// What the books say afterwards, one for each system.
    pub verdicts: Vec<Verdict>,
    /// What had to come out.
    pub expected: Vec<Expected>,
}

/// Figures of ours that are put into proportion to the machine's best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ours {
    /// Checkouts completed a second.
    pub per_second: f64,
    /// What half of the customers waited no longer for.
    pub p50_ms: f64,
}

/// Ours in terms of what the machine can do at best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// Of what.
    pub floor: &'static str,
    /// Our checkouts a second, in terms of it.
    pub per_second: f64,
    /// What half of our customers waited no longer for, in terms of it.
    pub p50: f64,
}

impl Ours {
    fn to(self, floor: &Floor) -> Ratio {
        let (per_second, p50) = (self.per_second / floor.per_second, self.p50_ms * 1_000.0 / floor.microseconds);
        Ratio { floor: floor.what, per_second, p50 }
    }
}

/// One thing that was found out.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// How many customers a second a server keeps up with.
    Knee(Knee),
    /// A load, and what came of it.
    Load {
        /// Its name, if there are several.
        name: String,
        /// What came of it.
        report: Box<Report>,
    },
    /// Each thing that happened, and what it did.
    Drills(Drills),
    /// Those who drive sagas were away.
    Falls(Vec<Fall>),
    /// Sagas, memory and files over time.
    Samples(Samples),
    /// Customers who wanted the same seats.
    Crush(Crush),
    /// A waiting room.
    Room(Box<Room>),
    /// The same load in ours and in the naive order.
    Orders(Orders),
    /// A load alone, and beside something else.
    Comparison {
        /// Round by round.
        comparison: Comparison,
        /// What else was counted.
        counts: Vec<(String, u64)>,
    },
}

impl Part {
    fn is_clean(&self) -> bool {
        match self {
            Self::Knee(knee) => knee.is_clean(),
            Self::Load { report, .. } => report.violation_count == 0 && report.open_sagas == 0,
            Self::Orders(orders) => orders.is_clean(),
            Self::Drills(_)
            | Self::Falls(_)
            | Self::Samples(_)
            | Self::Crush(_)
            | Self::Room(_)
            | Self::Comparison { .. } => true,
        }
    }

    fn sections(&self) -> Vec<Section> {
        match self {
            Self::Knee(knee) => knee.sections(),
            Self::Load { name, report } => report.sections(name),
            Self::Drills(drills) => vec![drills.section()],
            Self::Falls(falls) => vec![falls_section(falls)],
            Self::Samples(samples) => vec![samples.section()],
            Self::Crush(crush) => crush.sections(),
            Self::Room(room) => room.sections(),
            Self::Orders(orders) => vec![orders.section()],
            Self::Comparison { comparison, counts } => vec![comparison.section(counts)],
        }
    }
}

/// Something that had to come out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// What.
    pub what: String,
    /// What came out instead, or indeed.
    pub seen: String,
    /// Whether it did.
    pub is_met: bool,
}

impl Expected {
    /// Something that had to be.
    pub fn new(what: impl Into<String>, seen: impl ToString, is_met: bool) -> Self {
        Self { what: what.into(), seen: seen.to_string(), is_met }
    }
}

impl Findings {
    /// Whether nothing is broken and everything came out that had to.
    pub fn is_clean(&self) -> bool {
        self.parts.iter().all(Part::is_clean)
            && self.verdicts.iter().all(|verdict| verdict.clean)
            && self.expected.iter().all(|expected| expected.is_met)
    }

    /// All of it for programs, with ours in proportion to the machine's best.
    ///
    /// # Errors
    /// Never: every figure can be written.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        let mut all = serde_json::to_value(self)?;
        let floors = self.floors.iter().flat_map(|floors| &floors.0);
        let ratios: Vec<_> = floors.zip(self.ours.iter().cycle()).map(|(floor, ours)| ours.to(floor)).collect();
        all["ratios"] = serde_json::to_value(ratios)?;
        all["clean"] = self.is_clean().into();
        Ok(all)
    }

    /// What is worth showing of it.
    pub fn paper(&self) -> Paper {
        let mut sections: Vec<_> = self.parts.iter().flat_map(Part::sections).collect();
        sections.extend(self.floors.as_ref().map(|floors| floor_section(floors, self.ours)));
        sections.extend(self.verdicts.iter().map(Verdict::section));
        sections.push(self.expected_section());
        sections.push(self.setting_section());
        sections.retain(|section| !section.is_empty());
        let verdict = if self.is_clean() { "Nothing is broken." } else { "BROKEN: see below." };
        Paper { title: self.title.clone(), summary: format!("{} {verdict}", self.shows), sections }
    }

    fn expected_section(&self) -> Section {
        let mut table = Table::new(&["what had to come out", "what came out", ""]);
        for Expected { what, seen, is_met } in &self.expected {
            table.row(what, [seen.as_str(), if *is_met { "✓" } else { "BROKEN" }]);
        }
        Section::new("Expectations").table(table)
    }

    fn setting_section(&self) -> Section {
        let mut table = Table::new(&["setting", ""]);
        table.row("seed", [self.seed]);
        self.setting.iter().for_each(|(name, value)| table.row(name, [value]));
        self.machine.lines().into_iter().for_each(|(name, value)| table.row(name, [value]));
        Section::new("Setting").table(table)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&paper::text::write(&self.paper()))
    }
}

/// The floors, with ours beside them.
pub(crate) fn floor_section(floors: &Floors, ours: Option<Ours>) -> Section {
    let mut header = vec!["the machine at its best", "a second", "microseconds each"];
    if ours.is_some() {
        header.extend(["our checkouts/s to it", "our p50 to it"]);
    }
    let mut table = Table::new(&header);
    for floor in &floors.0 {
        let mut cells = vec![figure(floor.per_second), figure(floor.microseconds)];
        if let Some(ratio) = ours.map(|ours| ours.to(floor)) {
            cells.extend([ratio.per_second, ratio.p50].map(|times| format!("{} ×", figure(times))));
        }
        table.row(floor.what, cells);
    }
    let words = ours.map(|ours| {
        let (rate, p50) = (figure(ours.per_second), figure(ours.p50_ms));
        format!("Ours: {rate} checkouts completed a second, p50 {p50} ms. Measured in the same run.")
    });
    let section = Section::new("Floors").table(table);
    words.into_iter().fold(section, Section::say)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Rule;

    #[test]
    fn ours_stand_as_ratios_beside_the_floors() {
        let floors = Floors(vec![Floor { what: "fdatasync of 4 KiB", per_second: 2_000.0, microseconds: 500.0 }]);
        let section = floor_section(&floors, Some(Ours { per_second: 500.0, p50_ms: 2.0 }));
        assert_eq!(section.tables[0].rows, [["fdatasync of 4 KiB", "2000", "500", "0.250 ×", "4.00 ×"]]);
        assert_eq!(floor_section(&floors, None).tables[0].rows, [["fdatasync of 4 KiB", "2000", "500"]]);
    }

    fn findings(verdict: Verdict) -> Findings {
        let floors = Floors(vec![Floor { what: "fdatasync of 4 KiB", per_second: 2_000.0, microseconds: 500.0 }]);
        Findings {
            title: "L0 nothing".into(),
            shows: "Nothing.".into(),
            machine: Machine::look(None, None),
            setting: Vec::new(),
            seed: 1,
            floors: Some(floors),
            ours: Some(Ours { per_second: 500.0, p50_ms: 2.0 }),
            parts: Vec::new(),
            verdicts: vec![verdict],
            expected: Vec::new(),
        }
    }

    #[test]
    fn one_broken_rule_breaks_the_run_whatever_its_figures_and_every_form_says_so() {
        let rule = |findings| Rule { id: "S1".into(), rule: "a seat is sold once".into(), findings };
        let verdict = |clean, findings| Verdict { clean, rules: vec![rule(findings)], ..Verdict::default() };
        let (well, ill) = (findings(verdict(true, Vec::new())), findings(verdict(false, vec!["seat A-1".into()])));
        assert!(well.is_clean() && !ill.is_clean());
        assert_eq!(well.json().unwrap()["ratios"][0]["per_second"], 0.25);
        assert_eq!(ill.json().unwrap()["clean"], false);
        let paper = ill.paper();
        for text in [ill.to_string(), paper::markdown::write(&paper), paper::html::write(&paper)] {
            assert!(text.contains("BROKEN") && text.contains("S1 is broken: seat A-1"), "{text}");
        }
        assert!(paper::html::write(&paper).contains("0.250 ×"));
    }
}
