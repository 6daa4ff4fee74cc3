//! One axis: where a value stands on it, and which round numbers are marked.

use crate::paper::figure;

/// Marks on an axis, roughly.
const MARKS: f64 = 5.0;

/// From values to places.
#[derive(Debug)]
pub(super) struct Scale {
    /// The ends of the axis: as they are, or their logarithms.
    from: f64,
    to: f64,
    is_log: bool,
    /// Where the ends are drawn.
    ends: (f64, f64),
}

impl Scale {
    /// An axis that has room for all values. A linear one starts at zero unless values lie below.
    pub(super) fn over(values: impl Iterator<Item = f64>, is_log: bool, ends: (f64, f64)) -> Self {
        let values: Vec<f64> = values.filter(|value| !is_log || *value > 0.0).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = match (values.is_empty(), is_log) {
            (true, _) => (0.0, 1.0),
            (false, true) => (least.log10().floor(), most.log10().ceil()),
            (false, false) => (least.min(0.0), most),
        };
        Self { from, to: if to > from { to } else { from + 1.0 }, is_log, ends }
    }

    /// Where a value is drawn; what is too small for a logarithmic axis stands at its lower end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let value = if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value };
        let share = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        self.ends.0 + share * (self.ends.1 - self.ends.0)
    }

    /// Places and names of round numbers.
    pub(super) fn marks(&self) -> Vec<(f64, String)> {
        let step = if self.is_log { ((self.to - self.from) / MARKS).ceil() } else { round(self.to - self.from) };
        let first = (self.from / step).ceil();
        let count = ((self.to / step).floor() - first) as usize;
        let marks = (0..=count).map(|number| (first + number as f64) * step);
        marks
            .map(|mark| if self.is_log { 10_f64.powf(mark) } else { mark })
            .map(|mark| (self.place(mark), named(mark)))
            .collect()
    }
}

/// The step between marks: one, two or five times a power of ten.
fn round(span: f64) -> f64 {
    let step = span / MARKS;
    let ten = 10_f64.powf(step.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| times * ten >= step * 0.999);
    times.unwrap_or(10.0) * ten
}

fn named(value: f64) -> String {
    let short = |value: f64, unit: &str| {
        let text = figure(value);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
        text + unit
    };
    match value.abs() {
        size if size >= 1e6 => short(value / 1e6, "M"),
        size if size >= 1e4 => short(value / 1e3, "k"),
        _ => short(value, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(values: &[f64], is_log: bool) -> Vec<String> {
        Scale::over(values.iter().copied(), is_log, (0.0, 100.0)).marks().into_iter().map(|mark| mark.1).collect()
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(names(&[3.0, 97.0], false), ["0", "20", "40", "60", "80"]);
        assert_eq!(names(&[0.5, 42_000.0], false), ["0", "10k", "20k", "30k", "40k"]);
        assert_eq!(names(&[0.2, 900.0], true), ["0.1", "1", "10", "100", "1000"]);
        assert_eq!(names(&[7.0], false).first().map(String::as_str), Some("0"));
    }

    #[test]
    fn a_logarithmic_axis_gives_each_power_of_ten_the_same_room() {
        let scale = Scale::over([1.0, 100.0].into_iter(), true, (0.0, 100.0));
        assert_eq!([1.0, 10.0, 100.0, 0.0].map(|value| scale.place(value).round()), [0.0, 50.0, 100.0, 0.0]);
    }
}
