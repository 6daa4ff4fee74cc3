//! Which rate to try next: twice as much until it is too much, half as much until it is not, and then in between until that is
//! close enough. Pure: what was measured comes in.

/// What was measured at a rate, as far as the search has to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// Customers a second.
    pub rate: f64,
    /// Whether the server kept up with them.
    pub held: bool,
}

/// Where the search looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The rate to begin with.
    pub first: f64,
    /// No rate above this one is tried.
    pub most: f64,
    /// The knee is known well enough when the rate that was too much is so many times the one that was not.
    pub precision: f64,
}

/// Below this share of the first rate the search gives up.
const LEAST: f64 = 1.0 / 32.0;

impl Bounds {
    /// The next rate to be tried, or none when the knee is known, or out of reach.
    pub fn next(&self, tried: &[Tried]) -> Option<f64> {
        let (held, failed) = (knee(tried), first_failure(tried));
        let next = match (held, failed) {
            (None, None) => self.first,
            (Some(held), None) => (held * 2.0).min(self.most),
            (None, Some(failed)) => failed / 2.0,
            (Some(held), Some(failed)) if failed / held > self.precision => (held * failed).sqrt(),
            (Some(_), Some(_)) => return None,
        };
        let next = rounded(next);
        let is_within = next <= self.most && next >= self.first * LEAST;
        (is_within && tried.iter().all(|one| one.rate != next)).then_some(next)
    }
}

/// The greatest rate that the server kept up with.
pub fn knee(tried: &[Tried]) -> Option<f64> {
    tried.iter().filter(|one| one.held).map(|one| one.rate).reduce(f64::max)
}

/// The smallest rate above all others that was too much. One below a rate that held was bad luck.
fn first_failure(tried: &[Tried]) -> Option<f64> {
    let held = knee(tried).unwrap_or(0.0);
    tried.iter().filter(|one| !one.held && one.rate > held).map(|one| one.rate).reduce(f64::min)
}

/// Three digits say enough.
fn rounded(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.log10().floor() - 2.0);
    let units = (rate / unit).round();
    // A fraction of ten is not exact, ten times it is.
    if unit < 1.0 { units / (1.0 / unit).round() } else { units * unit }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { first: 100.0, most: 5_000.0, precision: 1.1 };

    /// Tries a system that keeps up with so many a second.
    fn climb(limit: f64) -> Vec<Tried> {
        let mut tried = Vec::new();
        while let Some(rate) = BOUNDS.next(&tried) {
            tried.push(Tried { rate, held: rate <= limit });
            assert!(tried.len() < 30, "{tried:?}");
        }
        tried
    }

    #[test]
    fn the_knee_is_found_within_the_precision_wherever_it_is() {
        for limit in [4.0, 12.5, 99.0, 100.0, 137.0, 640.0, 1_000.0, 3_333.0, 4_990.0] {
            let tried = climb(limit);
            let found = knee(&tried).unwrap();
            assert!(found <= limit && limit / found <= 1.11, "{found} for {limit}: {tried:?}");
        }
    }

    #[test]
    fn it_gives_up_where_no_rate_holds_and_stops_at_the_greatest() {
        assert_eq!(knee(&climb(0.5)), None);
        assert_eq!(knee(&climb(1e9)), Some(5_000.0));
    }

    #[test]
    fn rates_rise_twofold_at_first() {
        let rates: Vec<_> = climb(1_000.0).iter().take(5).map(|one| one.rate).collect();
        assert_eq!(rates, [100.0, 200.0, 400.0, 800.0, 1_600.0]);
    }

    #[test]
    fn a_failure_below_a_rate_that_held_is_bad_luck() {
        let tried = [(100.0, true), (200.0, false), (141.0, true), (400.0, true), (430.0, false)];
        let tried = tried.map(|(rate, held)| Tried { rate, held });
        assert_eq!((knee(&tried), BOUNDS.next(&tried)), (Some(400.0), None));
    }
}
