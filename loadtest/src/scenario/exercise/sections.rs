//! What is worth showing of drills and of falls.

use super::{Drills, Fall};
use crate::paper::{Plot, Section, Series, Table, figure};

impl Drills {
    /// A row for each.
    pub fn section(&self) -> Section {
        let mut table = Table::new(&[
            "what happened",
            "from s",
            "for s",
            "open at most",
            "oldest s",
            "seats locked at most",
            "drained s",
        ]);
        for drilled in &self.0 {
            table.row(
                format!("{}: {}", drilled.participant, drilled.what),
                [
                    figure(drilled.after_seconds),
                    figure(drilled.lasted_seconds),
                    drilled.backlog.to_string(),
                    figure(drilled.oldest_seconds),
                    drilled.locked_seats.to_string(),
                    drilled.drained_seconds.map_or("never".into(), figure),
                ],
            );
        }
        let words =
            "Drained: from the end of the fault until no more sagas were open than usual, with the load going on.";
        Section::new("Recovery from each fault").say(words).table(table)
    }
}

/// What is worth showing of those who were away.
pub(crate) fn falls_section(falls: &[Fall]) -> Section {
    let mut table = Table::new(&["away at s", "away for s", "sagas taken over after s"]);
    for fall in falls {
        let taken_over = fall.taken_over_seconds.map_or("not yet".into(), figure);
        table.row(figure(fall.second), [figure(fall.away_seconds), taken_over]);
    }
    let known: Vec<f64> = falls.iter().filter_map(|fall| fall.taken_over_seconds).collect();
    let longest = known.iter().copied().fold(0.0, f64::max);
    let words = format!("Away {} times. Sagas were taken over within {} s of the fall.", falls.len(), figure(longest));
    let points = falls.iter().filter_map(|fall| Some((fall.second, fall.taken_over_seconds?)));
    let plot = Plot::new("Takeover", "seconds", "seconds until taken over").line(Series::new("takeover", points));
    Section::new("Takeover").say(words).table(table).plot(plot)
}
