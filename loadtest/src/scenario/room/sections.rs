//! What is worth showing of a waiting room.

use super::Room;
use super::look::Look;
use crate::paper::{Plot, Section, Series, Table, figure};
use crate::report::latencies;

impl Room {
    /// How it ended, how fair it was, and the room over time.
    pub fn sections(&self) -> Vec<Section> {
        let mut ends = Table::new(&["how it ended", "entrants"]);
        self.ends.iter().for_each(|(end, count)| ends.row(end, [count]));
        let mut checkouts = Table::new(&["what checkouts came to", "count"]);
        self.checkouts.iter().for_each(|(told, count)| checkouts.row(told, [count]));
        let words = format!(
            "{} came, {} got in, {} bought {} seats of {}. {}. {} seats were left though somebody wanted them.",
            self.entrants,
            self.admitted,
            self.bought(),
            self.seats_sold,
            self.seats,
            self.sold_out().map_or("It was not sold out".into(), |second| format!("Sold out at {} s", figure(second))),
            self.unsold_though_wanted()
        );
        let line = |name: &str, of: fn(&Look) -> i64| {
            Series::new(name, self.looks.iter().map(|look| (look.second, of(look) as f64)))
        };
        let inside = Plot::new("Inside", "seconds", "people").line(line("inside", |look| look.active));
        let line_up = Plot::new("The line", "seconds", "people")
            .line(line("waiting", |look| look.waiting))
            .line(line("admitted through", |look| look.admitted_through))
            .line(line("places given out", |look| look.issued));
        let queue = Section::new("Waiting room").say(words).table(ends).table(checkouts).plot(inside).plot(line_up);
        let calls = Section::new("Calls").table(latencies("calls over gRPC", &self.calls));
        vec![queue, self.fairness(), calls]
    }

    fn fairness(&self) -> Section {
        let known = |value: Option<f64>| value.map_or("–".to_owned(), figure);
        let mut table = Table::new(&["fairness", ""]);
        table.row("let in before their turn", [self.inversions.to_string()]);
        table.row("Kendall's tau of place and getting in", [known(self.kendall_tau)]);
        table.row("chi-square of the draw, 81 degrees of freedom", [known(self.shuffle_chi_square)]);
        table.row("wait until let in, p50 s", [figure(self.waited.p50_ms / 1_000.0)]);
        table.row("wait until let in, p99 s", [figure(self.waited.p99_ms / 1_000.0)]);
        table.row("error of the first estimate, median", [known(self.estimate_error.map(|error| error.0))]);
        table.row("error of the first estimate, nine of ten", [known(self.estimate_error.map(|error| error.1))]);
        table.row("turns that nobody took", [self.turns_lost.to_string()]);
        table.row("polls a second", [figure(self.polls_per_second)]);
        table.row("polls turned away as too fast", [self.polls_too_fast.to_string()]);
        Section::new("Fairness").table(table)
    }
}
