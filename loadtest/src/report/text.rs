//! The report as people read it: what of it is worth showing.

use std::collections::BTreeMap;
use std::fmt;

use super::{Latency, Report};
use crate::paper::{Plot, Section, Series, Table, figure, text};
use crate::tally::Second;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in [self.answers(""), self.saga_section()] {
            f.write_str(&text::section_text(&section))?;
        }
        self.remarks().iter().try_for_each(|remark| writeln!(f, "{remark}"))?;
        write!(f, "{}", self.verdict())
    }
}

impl Report {
    /// All of it, under a name if there are several.
    pub fn sections(&self, name: &str) -> Vec<Section> {
        let prefix = if name.is_empty() { String::new() } else { format!("{name}: ") };
        let mut answers = self.answers(&format!("{prefix}answers"));
        answers.words.extend(self.remarks());
        answers.words.push(self.verdict());
        for plot in self.plots() {
            answers = answers.plot(plot);
        }
        let sagas = Section { title: format!("{prefix}sagas"), ..self.saga_section() };
        let calls = Section::new(format!("{prefix}calls")).table(latencies("calls over gRPC", &self.calls));
        vec![answers, sagas, calls]
    }

    fn answers(&self, title: &str) -> Section {
        let rates = &self.rates;
        let cpu = rates.cpu_ms_per_saga.map(|cpu| format!(", {cpu:.2} ms of processor time in the server"));
        Section::new(title)
            .say(format!(
                "{} answers in {:.1} s: {:.0} a second, {} in the busiest one",
                rates.answers, rates.seconds, rates.answers_per_second, rates.busiest_second
            ))
            .say(format!(
                "{} checkouts completed: {:.0} a second, all settled {:.1} s after the last answer",
                rates.completed, rates.completed_per_second, rates.settle_seconds
            ))
            .say(format!(
                "{:.2} calls a saga{}, {} calls of customers repeated",
                rates.calls_per_saga,
                cpu.unwrap_or_default(),
                self.repeated
            ))
            .table(latencies("what customers were told", &self.outcomes))
    }

    fn saga_section(&self) -> Section {
        let mut times: BTreeMap<&str, Latency> = self.sagas.iter().map(|(state, times)| (*state, *times)).collect();
        if self.decided.count > 0 {
            times.insert("(decided)", self.decided);
        }
        Section::new("")
            .table(latencies("sagas, from creation to end", &times))
            .table(self.step_table())
            .table(self.failure_table())
            .table(self.fault_table())
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<_> = self.violations.iter().map(|broken| format!("broken promise: {broken}")).collect();
        if !self.coverage.is_complete() {
            let missing = self.coverage.missing().join(", ");
            remarks.push(format!("this run proves little, for some things never happened: {missing}"));
        }
        remarks
    }

    fn verdict(&self) -> String {
        format!("sagas still open: {}, broken promises: {}", self.open_sagas, self.violation_count)
    }

    fn step_table(&self) -> Table {
        let mut table =
            Table::new(&["step", "succeeded", "refused", "compensated", "calls", "compensation calls", "in doubt"]);
        for step in &self.steps {
            let sagas = [step.succeeded, step.refused, step.compensated];
            let attempts = [step.calls, step.compensation_calls, step.in_doubt];
            table.row(&step.id, sagas.into_iter().chain(attempts));
        }
        table
    }

    fn failure_table(&self) -> Table {
        let mut table = Table::new(&["why sagas failed", "count"]);
        self.failures.iter().for_each(|(reason, count)| table.row(reason, [count]));
        table
    }

    fn fault_table(&self) -> Table {
        let mut table =
            Table::new(&["faults in front of", "calls", "cut off", "delayed", "duplicated", "replies lost", "astray"]);
        for (participant, fired) in &self.faults {
            let counts =
                [fired.calls, fired.cut_off, fired.delayed, fired.duplicated, fired.replies_lost, fired.strayed];
            table.row(*participant, counts);
        }
        table
    }

    fn plots(&self) -> [Plot; 4] {
        let plot = |title, up| Plot::new(title, "seconds", up);
        let over_time = |plot: Plot, of: fn(&Latency) -> f64| {
            self.outcomes.keys().fold(plot, |plot, outcome| plot.line(series(&self.timeline, outcome, of)))
        };
        let spectrum = Plot { log_across: true, log_up: true, ..Plot::new("Distribution", "one in so many", "ms") };
        // Towards the right there are the few that took longest.
        let rarity = |(percent, ms): &(f64, f64)| (*percent < 100.0).then(|| (100.0 / (100.0 - percent), *ms));
        let spectrum = self.spectra.iter().fold(spectrum, |plot, (outcome, spectrum)| {
            plot.line(Series::new(outcome, spectrum.iter().filter_map(rarity)))
        });
        [
            over_time(Plot { log_up: true, ..plot("Latency over time, p99", "ms") }, |latency| latency.p99_ms),
            over_time(Plot { log_up: true, ..plot("Latency over time, p50", "ms") }, |latency| latency.p50_ms),
            over_time(plot("Throughput over time", "answers a second"), |latency| latency.count as f64),
            spectrum,
        ]
    }
}

fn series(timeline: &[Second], outcome: &str, of: fn(&Latency) -> f64) -> Series {
    let point = |second: &Second| Some((second.second as f64, of(second.outcomes.get(outcome)?)));
    Series::new(outcome, timeline.iter().filter_map(point))
}

/// A row for each name.
pub(crate) fn latencies<K: AsRef<str>>(title: &str, by: &BTreeMap<K, Latency>) -> Table {
    let mut table = Table::new(&[title, "count", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms"]);
    for (name, latency) in by {
        let times = [latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.p999_ms, latency.max_ms];
        table.row(name.as_ref(), [latency.count.to_string()].into_iter().chain(times.map(figure)));
    }
    table
}
