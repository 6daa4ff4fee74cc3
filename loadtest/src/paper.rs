//! What is shown of a run, apart from how: titles, words, tables and plots. Each run says once what of it is worth showing;
//! terminal, Markdown and page are three ways to write it down.

pub mod html;
pub mod markdown;
pub mod plot;
pub mod text;

pub use plot::{Plot, Series};

/// All of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Paper {
    /// What it is about.
    pub title: String,
    /// What comes of it, in a sentence.
    pub summary: String,
    /// One below the other.
    pub sections: Vec<Section>,
}

/// A part with a heading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// What has to be said about it.
    pub words: Vec<String>,
    /// Figures.
    pub tables: Vec<Table>,
    /// The same, to be seen at a glance.
    pub plots: Vec<Plot>,
}

/// Rows of cells; the first column names the row, all others are figures.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// One name for each column.
    pub header: Vec<String>,
    /// As many cells as the header has.
    pub rows: Vec<Vec<String>>,
}

impl Section {
    /// An empty one.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Whether it has nothing but a heading.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.tables.is_empty() && self.plots.is_empty()
    }

    /// The same with one more paragraph.
    #[must_use]
    pub fn say(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    /// The same with one more table, unless it is empty.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        if !table.rows.is_empty() {
            self.tables.push(table);
        }
        self
    }

    /// The same with one more plot, unless there is nothing to be seen on it.
    #[must_use]
    pub fn plot(mut self, plot: Plot) -> Self {
        if plot.series.iter().any(|series| !series.points.is_empty()) {
            self.plots.push(plot);
        }
        self
    }
}

impl Table {
    /// One without rows.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// One more row.
    pub fn row(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = impl ToString>) {
        let values = values.into_iter().map(|value| value.to_string());
        self.rows.push([name.into()].into_iter().chain(values).collect());
    }
}

/// A figure as people read it: as many digits as say something.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "–".to_owned(),
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_say_something() {
        assert_eq!([1234.5, 99.96, 9.996, 0.0123, 0.0].map(figure), ["1234", "100.0", "10.00", "0.012", "0"]);
        assert_eq!(figure(f64::INFINITY), "–");
    }

    #[test]
    fn what_is_empty_is_left_out() {
        let section = Section::new("nothing").table(Table::new(&["what", "count"])).plot(Plot::default());
        assert_eq!(section, Section { title: "nothing".into(), ..Section::default() });
    }
}
