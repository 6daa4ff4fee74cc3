//! Draws numbers of which the first ones are wanted far more often than the last.

use fastrand::Rng;

/// The numbers below a bound; the one at rank `r` is drawn in proportion to `1 / r^exponent`.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// For each number, the probability that it or one before it is drawn.
    up_to: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(count: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|rank| {
            sum += (rank as f64).powf(-exponent);
            sum
        });
        let mut up_to: Vec<f64> = weights.collect();
        up_to.iter_mut().for_each(|share| *share /= sum);
        Self { up_to }
    }

    /// One of them; 0 where there is none.
    pub(crate) fn draw(&self, random: &mut Rng) -> usize {
        let chance = random.f64();
        self.up_to.partition_point(|share| *share <= chance).min(self.up_to.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_drawn_as_often_as_zipf_says_and_the_last_too() {
        let (zipf, mut random) = (Zipf::new(100, 1.0), Rng::with_seed(1));
        let mut counts = [0_u32; 100];
        (0..100_000).for_each(|_| counts[zipf.draw(&mut random)] += 1);
        // The harmonic number of 100 is 5.187.
        for (rank, wanted) in [(1, 19_279.0), (2, 9_639.0), (10, 1_928.0), (100, 193.0)] {
            let ratio = f64::from(counts[rank - 1]) / wanted;
            assert!((0.7..1.3).contains(&ratio), "{rank}: {ratio}");
        }
        assert_eq!(Zipf::new(0, 1.0).draw(&mut random), 0);
    }
}
