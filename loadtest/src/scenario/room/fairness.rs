//! How fair a line was, in numbers. Pure.

/// Groups that a draw is looked at in: by when somebody came, and by which place he drew.
const GROUPS: usize = 10;
/// Fewest people whose draw says something.
const LEAST: usize = 500;

/// 1 where everybody got in in the order of his place, -1 where in the reverse one (Kendall's tau). Places are in the order in
/// which their owners got in.
pub(crate) fn kendall_tau(places: &[i64]) -> Option<f64> {
    let count = places.len() as f64;
    let pairs = count * (count - 1.0) / 2.0;
    (places.len() > 1).then(|| 1.0 - 2.0 * discordant(&mut places.to_vec()) as f64 / pairs)
}

/// Pairs that stand the wrong way round; sorts on the way.
fn discordant(places: &mut [i64]) -> u64 {
    if places.len() < 2 {
        return 0;
    }
    let (left, right) = places.split_at_mut(places.len() / 2);
    let mut count = discordant(left) + discordant(right);
    let (mut merged, mut from_left) = (Vec::with_capacity(left.len() + right.len()), left.iter().peekable());
    let mut remaining = left.len() as u64;
    for place in right.iter() {
        while let Some(before) = from_left.next_if(|before| *before <= place) {
            merged.push(*before);
            remaining -= 1;
        }
        count += remaining;
        merged.push(*place);
    }
    merged.extend(from_left);
    places.copy_from_slice(&merged);
    count
}

/// Whether a draw favours those who came early or late: chi-square over ten by ten groups, which has 81 degrees of freedom; a
/// fair draw seldom exceeds 132. `draws` are when somebody came, and his place.
pub(crate) fn chi_square(draws: &[(usize, i64)]) -> Option<f64> {
    if draws.len() < LEAST {
        return None;
    }
    let (mut by_coming, mut by_place): (Vec<_>, Vec<_>) = ((0..draws.len()).collect(), (0..draws.len()).collect());
    by_coming.sort_by_key(|index: &usize| draws[*index].0);
    by_place.sort_by_key(|index: &usize| draws[*index].1);
    let group = |rank: usize| rank * GROUPS / draws.len();
    let mut came = vec![0; draws.len()];
    by_coming.iter().enumerate().for_each(|(rank, index)| came[*index] = group(rank));
    let mut counts = [[0.0; GROUPS]; GROUPS];
    by_place.iter().enumerate().for_each(|(rank, index)| counts[came[*index]][group(rank)] += 1.0);
    let wanted = draws.len() as f64 / (GROUPS * GROUPS) as f64;
    Some(counts.iter().flatten().map(|count: &f64| (count - wanted).powi(2) / wanted).sum())
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn tau_is_one_in_order_and_minus_one_in_reverse() {
        let tau = |places: &[i64]| kendall_tau(places).unwrap();
        assert!((tau(&[1, 2, 3, 4]) - 1.0).abs() < 1e-9);
        assert!((tau(&[4, 3, 2, 1]) + 1.0).abs() < 1e-9);
        assert!((tau(&[1, 3, 2, 4]) - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(kendall_tau(&[1]), None);
    }

    #[test]
    fn a_fair_draw_passes_and_one_that_favours_the_early_does_not() {
        let mut random = Rng::with_seed(1);
        let mut places: Vec<i64> = (0..5_000).collect();
        let early: Vec<_> = places.iter().map(|place| (*place as usize, *place)).collect();
        assert!(chi_square(&early).unwrap() > 10_000.0);
        random.shuffle(&mut places);
        let fair: Vec<_> = places.into_iter().enumerate().collect();
        assert!(chi_square(&fair).unwrap() < 132.0);
        assert_eq!(chi_square(&fair[..100]), None);
    }
}
