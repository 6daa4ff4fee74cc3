//! The report as people read it.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::{Latency, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", latencies("what customers were told", &self.outcomes))?;
        writeln!(f, "{}\n", latencies("sagas, from creation to end", &self.sagas))?;
        writeln!(f, "{}\n", self.step_table())?;
        if !self.failures.is_empty() {
            writeln!(f, "{}\n", self.failure_table())?;
        }
        if !self.faults.is_empty() {
            writeln!(f, "{}\n", self.fault_table())?;
        }
        self.write_rates(f)?;
        for violation in &self.violations {
            writeln!(f, "broken promise: {violation}")?;
        }
        if !self.coverage.is_complete() {
            writeln!(
                f,
                "this run proves little, for some things never happened: {}",
                self.coverage.missing().join(", ")
            )?;
        }
        write!(f, "sagas still open: {}, broken promises: {}", self.open_sagas, self.violation_count)
    }
}

impl Report {
    fn step_table(&self) -> Table {
        let header = ["step", "succeeded", "refused", "compensated", "calls", "compensation calls", "in doubt"];
        let mut table = table(&header);
        for step in &self.steps {
            let sagas = [step.succeeded, step.refused, step.compensated];
            let attempts = [step.calls, step.compensation_calls, step.in_doubt];
            row(&mut table, &step.id, sagas.into_iter().chain(attempts));
        }
        table
    }

    fn failure_table(&self) -> Table {
        let mut table = table(&["why sagas failed", "count"]);
        for (reason, count) in &self.failures {
            row(&mut table, reason, [count]);
        }
        table
    }

    fn fault_table(&self) -> Table {
        let mut table = table(&["faults in front of", "calls", "cut off", "delayed", "duplicated", "replies lost"]);
        for (participant, fired) in &self.faults {
            let counts = [fired.calls, fired.cut_off, fired.delayed, fired.duplicated, fired.replies_lost];
            row(&mut table, participant, counts);
        }
        table
    }

    fn write_rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = &self.rates;
        writeln!(
            f,
            "{} answers in {:.1} s: {:.0} a second, {} in the busiest one",
            rates.answers, rates.seconds, rates.answers_per_second, rates.busiest_second
        )?;
        writeln!(
            f,
            "{} checkouts completed: {:.0} a second, all settled {:.1} s after the last answer",
            rates.completed, rates.completed_per_second, rates.settle_seconds
        )?;
        write!(f, "{:.2} calls a saga", rates.calls_per_saga)?;
        match rates.cpu_ms_per_saga {
            Some(cpu) => writeln!(f, ", {cpu:.2} ms of processor time in the server"),
            None => writeln!(f),
        }
    }
}

fn latencies<K: AsRef<str>>(title: &str, by: &BTreeMap<K, Latency>) -> Table {
    let mut table = table(&[title, "count", "p50 ms", "p90 ms", "p99 ms", "max ms"]);
    for (name, latency) in by {
        let times = [latency.p50_ms, latency.p90_ms, latency.p99_ms, latency.max_ms].map(|ms| format!("{ms:.1}"));
        row(&mut table, name.as_ref(), [latency.count.to_string()].into_iter().chain(times));
    }
    table
}

pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

pub(crate) fn row(table: &mut Table, name: &str, values: impl IntoIterator<Item = impl ToString>) {
    let values = values.into_iter().map(|value| value.to_string());
    table.add_row([name.to_owned()].into_iter().chain(values));
}
