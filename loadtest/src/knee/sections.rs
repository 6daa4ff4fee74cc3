//! What is worth showing of a knee.

use super::{Knee, Step};
use crate::paper::{Plot, Section, Series, Table, figure};

impl Knee {
    /// A table of all rates, one of the knees, and the curve.
    pub fn sections(&self) -> Vec<Section> {
        let limits: Vec<_> = self.climb.p99_ms.iter().map(|limit| figure(*limit)).collect();
        let words = format!(
            "Each rate was kept up for {} s in an open model. A knee is the greatest rate at which p99 from the intended \
             start stayed within {} ms and no more than {} % of the customers were told anything else than that they had \
             bought.",
            figure(self.climb.seconds),
            limits.join(" or "),
            self.climb.error_percent
        );
        let found = Section::new("Knee").say(words).table(self.found()).plot(self.curve()).plot(self.throughput());
        vec![found, Section::new("Rates that were tried").table(self.tried_table())]
    }

    fn found(&self) -> Table {
        let mut table = Table::new(&[
            "p99 within",
            "customers/s",
            "completed/s",
            "p50 ms",
            "p99 ms",
            "calls a saga",
            "CPU ms a saga",
        ]);
        for found in &self.found {
            let limit = format!("{} ms", figure(found.p99_ms));
            match &found.step {
                None => table.row(limit, vec!["–"; 6]),
                Some(step) => table.row(
                    limit,
                    [
                        figure(step.rate),
                        figure(step.completed_per_second),
                        figure(step.bought.p50_ms),
                        figure(step.bought.p99_ms),
                        figure(step.calls_per_saga),
                        step.cpu_ms_per_saga.map_or("–".into(), figure),
                    ],
                ),
            }
        }
        table
    }

    fn tried_table(&self) -> Table {
        let mut table =
            Table::new(&["customers/s", "completed/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "errors %"]);
        for step in self.rising() {
            let bought = &step.bought;
            let times = [bought.p50_ms, bought.p90_ms, bought.p99_ms, bought.p999_ms, bought.max_ms];
            let all = [step.completed_per_second].into_iter().chain(times).chain([step.error_percent]);
            table.row(figure(step.rate), all.map(figure));
        }
        table
    }

    fn curve(&self) -> Plot {
        let plot = Plot::new("Latency against load", "customers a second", "ms");
        let plot = Plot { log_up: true, log_across: true, ..plot };
        let line = |name: &str, of: fn(&Step) -> f64| {
            Series::new(name, self.rising().into_iter().map(|step| (step.rate, of(step))))
        };
        plot.line(line("p50", |step| step.bought.p50_ms))
            .line(line("p99", |step| step.bought.p99_ms))
            .line(line("p99.9", |step| step.bought.p999_ms))
    }

    fn throughput(&self) -> Plot {
        let points = || self.rising().into_iter().map(|step| (step.rate, step.completed_per_second));
        let wanted = self.rising().into_iter().map(|step| (step.rate, step.rate));
        Plot::new("Throughput against load", "customers a second", "completed a second")
            .line(Series::new("completed", points()))
            .line(Series::new("wanted", wanted))
    }

    fn rising(&self) -> Vec<&Step> {
        let mut steps: Vec<_> = self.steps.iter().collect();
        steps.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        steps
    }
}
