//! The scenarios as data: what each is called, what it shows, and what goes on in it.

use std::time::Duration;

use anyhow::Result;

use super::crush::Hall;
use super::exercise::{Drill, Exercise, Interruption};
use super::room::Opening;
use super::{Found, Stand, consumers, returned};
use crate::faults::Trouble;
use crate::mix::Mix;
use crate::system::Shape;

/// One of them.
#[derive(Debug)]
pub struct Scenario {
    /// Its number.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    pub(super) act: Act,
}

/// What goes on.
#[derive(Debug)]
pub(super) enum Act {
    /// Checkouts at a steady rate, and something that happens meanwhile.
    Exercise(Exercise),
    /// Customers who want the same seats.
    Hall(Hall),
    /// Entrants before a waiting room.
    Opening(Opening),
    /// A provider of messages that is slow, and a platform that is down.
    Consumers,
    /// A performance that is cancelled.
    Returned,
}

impl Act {
    pub(super) async fn run(&self, stand: &Stand) -> Result<Found> {
        match self {
            Self::Exercise(exercise) => exercise.run(stand).await,
            Self::Hall(hall) => hall.run(stand).await,
            Self::Opening(opening) => opening.run(stand).await,
            Self::Consumers => consumers::run(stand).await,
            Self::Returned => returned::run(stand).await,
        }
    }
}

/// The one with this number or name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|one| one.id.eq_ignore_ascii_case(name) || one.name == name)
}

impl Scenario {
    /// All of them, in order. The third is a command of its own: `loadtest knee`.
    pub fn all() -> &'static [Self] {
        &ALL
    }
}

/// Customers of every kind but those who come too late, for whom holds have to expire.
const PROMPT: Mix = Mix {
    insufficient_points: 10.0,
    double_submit: 5.0,
    two_tabs: 2.0,
    amount_changed: 0.5,
    goes_away: 3.0,
    ..Mix::CLEAN
};
/// One orchestrator, and faults between it and the services.
const APART: Shape = Shape::Apart { replicas: 1 };
/// Several orchestrators, on PostgreSQL.
const REPLICAS: Shape = Shape::Apart { replicas: 3 };
/// Nothing happens to calls.
const WELL: Trouble = Trouble {
    cut_off: false,
    delay: Duration::ZERO,
    delayed: 0.0,
    duplicate: 0.0,
    lose_reply: 0.0,
    stray: 0.0,
    stray_for: Duration::ZERO,
};
/// What happens to a participant's calls, one after the other: the call does not arrive, its answer is lost after the commit,
/// or one in fifty is slow.
const DOWN: [Drill; 3] = [
    Drill { name: "down before the call", trouble: Trouble { cut_off: true, ..WELL } },
    Drill { name: "down after its commit", trouble: Trouble { lose_reply: 1.0, ..WELL } },
    Drill { name: "slow, 2 s at p99", trouble: Trouble { delay: Duration::from_secs(2), delayed: 0.02, ..WELL } },
];
/// A network that loses, repeats and delays.
const MALICE: Trouble =
    Trouble { lose_reply: 0.05, duplicate: 0.02, stray: 0.02, stray_for: Duration::from_secs(4), ..WELL };
/// How long customers ask again while a server is away.
const INSISTS: Duration = Duration::from_secs(30);

const OPENING: Opening = Opening {
    seats: 50_000.0,
    entrants: 1_000_000.0,
    admissions_per_second: 100.0,
    max_active: 8_000.0,
    polls_too_often: 0.0,
    vanishes: 0.0,
    does_not_claim: 0.0,
    leader_dies: false,
};

const fn exercise(shape: Shape, mix: Mix, seconds: f64) -> Exercise {
    Exercise {
        shape,
        mix,
        seconds,
        drills: &[],
        throughout: WELL,
        interruption: Interruption::None,
        insists: Duration::ZERO,
    }
}

const ALL: [Scenario; 13] = [
    Scenario {
        id: "L1",
        name: "opening-night",
        shows: "A waiting room before a sale: who is let in when, how often people ask, and when everything is sold.",
        act: Act::Opening(OPENING),
    },
    Scenario {
        id: "L2",
        name: "hot-seats",
        shows: "Many customers want the same few seats at once; one of them gets each.",
        act: Act::Hall(Hall { customers: 5_000.0, seats: 500.0, exponent: 1.1, most_seats: 4, seconds: 5.0 }),
    },
    Scenario {
        id: "L4",
        name: "failure-mix",
        shows: "One customer in four does something else than buy: the failures people make.",
        act: Act::Exercise(exercise(Shape::One, MIX, 600.0)),
    },
    Scenario {
        id: "L5",
        name: "participant-down",
        shows: "Each participant is away in turn: what is held up, and how fast it drains.",
        act: Act::Exercise(Exercise { drills: &DOWN, ..exercise(APART, PROMPT, 0.0) }),
    },
    Scenario {
        id: "L6",
        name: "orchestrator-killed",
        shows: "The server is killed every few seconds; no saga is lost, and another start takes them over.",
        act: Act::Exercise(Exercise {
            interruption: Interruption::Killed,
            insists: INSISTS,
            ..exercise(Shape::One, PROMPT, 600.0)
        }),
    },
    Scenario {
        id: "L6R",
        name: "replica-killed",
        shows: "One of three replicas is killed every few seconds; the others take its sagas over.",
        act: Act::Exercise(Exercise {
            interruption: Interruption::Killed,
            insists: INSISTS,
            ..exercise(REPLICAS, PROMPT, 600.0)
        }),
    },
    Scenario {
        id: "L7",
        name: "network-malice",
        shows: "Replies are lost, calls come twice, and some arrive after their compensation.",
        act: Act::Exercise(Exercise { throughout: MALICE, ..exercise(APART, PROMPT, 600.0) }),
    },
    Scenario {
        id: "L8",
        name: "consumers",
        shows: "A provider of messages that takes six seconds and fails, and a data platform that is down, change no checkout.",
        act: Act::Consumers,
    },
    Scenario {
        id: "L9",
        name: "returned",
        shows: "A performance is cancelled and everybody gets his money back, while another concert sells.",
        act: Act::Returned,
    },
    Scenario {
        id: "L10",
        name: "queue-abuse",
        shows: "Some ask ten times a second, some vanish, some do not claim their turn, and who lets people in is killed.",
        act: Act::Opening(Opening {
            polls_too_often: 10.0,
            vanishes: 30.0,
            does_not_claim: 20.0,
            leader_dies: true,
            ..OPENING
        }),
    },
    Scenario {
        id: "L11",
        name: "clock-skew",
        shows: "The clocks of three replicas differ by ten seconds.",
        act: Act::Exercise(Exercise { interruption: Interruption::Skewed, ..exercise(REPLICAS, PROMPT, 300.0) }),
    },
    Scenario {
        id: "L12",
        name: "soak",
        shows: "A long steady load: what grows.",
        act: Act::Exercise(exercise(Shape::One, PROMPT, 3_600.0)),
    },
    Scenario {
        id: "L13",
        name: "upgrade",
        shows: "Replicas are replaced one by one under load.",
        act: Act::Exercise(Exercise {
            interruption: Interruption::Replaced,
            insists: INSISTS,
            ..exercise(REPLICAS, PROMPT, 300.0)
        }),
    },
];

/// The failures people make.
const MIX: Mix = Mix { expired_hold: 4.0, wrong_owner: 0.5, declined_card: 1.0, ..PROMPT };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_is_found_by_number_and_by_name_and_only_once() {
        for scenario in Scenario::all() {
            assert_eq!(find(scenario.id).map(|one| one.name), Some(scenario.name));
            assert_eq!(find(&scenario.id.to_lowercase()).map(|one| one.name), Some(scenario.name));
            assert_eq!(find(scenario.name).map(|one| one.id), Some(scenario.id));
        }
        assert!(find("L99").is_none());
    }
}
