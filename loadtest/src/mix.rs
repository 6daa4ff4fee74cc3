//! Who buys, and how: shares of customers that do something else than buy what they hold with the points that they have.

use std::iter::repeat_with;

use fastrand::Rng;

/// How one virtual customer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Buys, once.
    Buys,
    /// Has too few points; some get more and try again.
    LacksPoints {
        /// Whether this one does.
        tops_up: bool,
    },
    /// Comes so many milliseconds after the hold has expired; before it, when negative.
    ComesLate {
        /// So many.
        after_ms: i64,
    },
    /// Clicks so often at once: one request, sent as often.
    DoubleClicks {
        /// So often.
        times: u8,
    },
    /// Buys the same in two tabs at once: two requests.
    TwoTabs,
    /// Was shown another price.
    SawAnotherPrice,
    /// Goes away so many milliseconds after sending.
    GoesAway {
        /// So many.
        after_ms: u64,
    },
    /// Buys what somebody else holds.
    IsNotTheOwner,
    /// Pays with a card that is declined.
    HasNoCredit,
}

impl Behaviour {
    /// Whether a checkout like this one must fail, whatever else happens. Near the end of a hold both is right, and
    /// whoever gets more points has them the second time only.
    pub(crate) fn must_fail(self) -> bool {
        match self {
            Self::LacksPoints { .. } | Self::SawAnotherPrice | Self::IsNotTheOwner | Self::HasNoCredit => true,
            Self::ComesLate { after_ms } => after_ms > BOUNDARY_MS,
            Self::Buys | Self::DoubleClicks { .. } | Self::TwoTabs | Self::GoesAway { .. } => false,
        }
    }
}

/// How near to the end of his hold a customer comes who wants to see on which side of it he is.
const BOUNDARY_MS: i64 = 100;

/// Makes one of the customers who behave alike.
type Behave = fn(&mut Rng) -> Behaviour;

/// Percentages of customers; the rest simply buy.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Mix {
    /// Too few points; half of them top up and try again.
    pub insufficient_points: f64,
    /// The hold has expired; half of them come within 100 ms of its end.
    pub expired_hold: f64,
    /// The same request two to five times at once.
    pub double_submit: f64,
    /// Two requests for one reservation at once.
    pub two_tabs: f64,
    /// Expects another amount.
    pub amount_changed: f64,
    /// Gone before the answer.
    pub goes_away: f64,
    /// Somebody else's reservation.
    pub wrong_owner: f64,
    /// Pays with a card that is declined; takes a server with a processor.
    pub declined_card: f64,
}

impl Default for Mix {
    fn default() -> Self {
        Self {
            insufficient_points: 10.0,
            expired_hold: 4.0,
            double_submit: 5.0,
            two_tabs: 2.0,
            amount_changed: 0.5,
            goes_away: 3.0,
            wrong_owner: 0.5,
            declined_card: 0.0,
        }
    }
}

impl Mix {
    /// Everybody simply buys.
    pub const CLEAN: Self = Self {
        insufficient_points: 0.0,
        expired_hold: 0.0,
        double_submit: 0.0,
        two_tabs: 0.0,
        amount_changed: 0.0,
        goes_away: 0.0,
        wrong_owner: 0.0,
        declined_card: 0.0,
    };

    /// As many behaviours as there are customers, each as often as its share says, in an order that `random` decides.
    pub fn deal(&self, customers: usize, random: &mut Rng) -> Vec<Behaviour> {
        let mut dealt = Vec::with_capacity(customers);
        for (share, behave) in self.shares() {
            let count = (share / 100.0 * customers as f64).round() as usize;
            let count = count.min(customers - dealt.len());
            dealt.extend(repeat_with(|| behave(random)).take(count));
        }
        dealt.resize(customers, Behaviour::Buys);
        random.shuffle(&mut dealt);
        dealt
    }

    /// One behaviour, each as likely as its share says.
    pub fn draw(&self, random: &mut Rng) -> Behaviour {
        let mut chance = random.f64() * 100.0;
        for (share, behave) in self.shares() {
            if chance < share {
                return behave(random);
            }
            chance -= share;
        }
        Behaviour::Buys
    }

    fn shares(&self) -> [(f64, Behave); 8] {
        [
            (self.insufficient_points, |random| Behaviour::LacksPoints { tops_up: random.bool() }),
            (self.expired_hold, |random| Behaviour::ComesLate { after_ms: lateness(random) }),
            (self.double_submit, |random| Behaviour::DoubleClicks { times: random.u8(2..=5) }),
            (self.two_tabs, |_| Behaviour::TwoTabs),
            (self.amount_changed, |_| Behaviour::SawAnotherPrice),
            (self.goes_away, |random| Behaviour::GoesAway { after_ms: random.u64(1..=3) }),
            (self.wrong_owner, |_| Behaviour::IsNotTheOwner),
            (self.declined_card, |_| Behaviour::HasNoCredit),
        ]
    }
}

fn lateness(random: &mut Rng) -> i64 {
    if random.bool() { random.i64(-BOUNDARY_MS..=BOUNDARY_MS) } else { random.i64(500..=1_500) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deal(mix: &Mix, seed: u64) -> Vec<Behaviour> {
        mix.deal(2_000, &mut Rng::with_seed(seed))
    }

    fn count(dealt: &[Behaviour], is: impl Fn(&Behaviour) -> bool) -> usize {
        dealt.iter().filter(|behaviour| is(behaviour)).count()
    }

    #[test]
    fn each_behaviour_is_dealt_as_often_as_its_share_says() {
        let dealt = deal(&Mix::default(), 1);
        assert_eq!(dealt.len(), 2_000);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::LacksPoints { .. })), 200);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::ComesLate { .. })), 80);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::DoubleClicks { times: 2..=5 })), 100);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::TwoTabs)), 40);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::SawAnotherPrice)), 10);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::GoesAway { .. })), 60);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::IsNotTheOwner)), 10);
        assert_eq!(count(&dealt, |one| *one == Behaviour::Buys), 1_500);
    }

    #[test]
    fn one_that_is_drawn_is_as_likely_as_its_share_says() {
        let mut random = Rng::with_seed(5);
        let drawn: Vec<_> = (0..2_000).map(|_| Mix::default().draw(&mut random)).collect();
        let lacking = count(&drawn, |one| matches!(one, Behaviour::LacksPoints { .. }));
        assert!((150..250).contains(&lacking), "{lacking}");
        assert!(count(&drawn, |one| *one == Behaviour::Buys) > 1_400);
    }

    #[test]
    fn a_seed_always_deals_the_same() {
        assert_eq!(deal(&Mix::default(), 7), deal(&Mix::default(), 7));
        assert_ne!(deal(&Mix::default(), 7), deal(&Mix::default(), 8));
    }

    #[test]
    fn shares_beyond_all_customers_are_cut_and_a_clean_mix_has_only_buyers() {
        let greedy = Mix { two_tabs: 80.0, amount_changed: 80.0, ..Mix::CLEAN };
        let dealt = deal(&greedy, 1);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::TwoTabs)), 1_600);
        assert_eq!(count(&dealt, |one| matches!(one, Behaviour::SawAnotherPrice)), 400);
        assert_eq!(count(&deal(&Mix::CLEAN, 1), |one| *one == Behaviour::Buys), 2_000);
    }

    #[test]
    fn about_half_of_those_who_come_late_come_near_the_end_of_their_hold() {
        let dealt = deal(&Mix { expired_hold: 100.0, ..Mix::CLEAN }, 3);
        let near = count(&dealt, |one| !one.must_fail());
        assert!((900..1_100).contains(&near), "{near}");
    }
}
