//! What to do to a server, all of it decided before the first call.

use std::time::Duration;

use crate::faults::Trouble;
use crate::mix::Mix;

/// How customers arrive.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// So many a second, whether or not the earlier ones have been answered. Latency counts from the time at which a
    /// customer was to come, so that a server that stalls cannot hide it.
    Open {
        /// Arrivals a second, evenly random.
        rate: f64,
        /// How many come in the first second, before that.
        rush: u32,
    },
    /// So many at a time, the next one when one has been answered: finds out how much is possible.
    Closed {
        /// Customers at a time.
        concurrency: usize,
    },
}

/// Something that happens to calls to participants for a while, if faults can be switched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episode {
    /// Whose calls, such as `payment`; everybody's if none is named.
    pub participant: Option<&'static str>,
    /// What happens to them.
    pub trouble: Trouble,
    /// When it begins, counted from the first arrival.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Customers, each with a reservation.
    pub checkouts: usize,
    /// Seats that nobody has reserved.
    pub spare_seats: usize,
    /// How the customers arrive.
    pub load: Load,
    /// How they behave.
    pub mix: Mix,
    /// The same seed makes the same customers come in the same order.
    pub seed: u64,
    /// How long a customer waits for the outcome.
    pub wait: Duration,
    /// How long sagas may take to end after the last answer.
    pub settle: Duration,
    /// Probability that the answer of a step is lost, if faults can be switched.
    pub lost_replies: f64,
    /// What else happens, if faults can be switched.
    pub episodes: Vec<Episode>,
    /// How long a customer asks again with the same request when nobody knows what has become of it.
    pub insists: Duration,
    /// Whether customers are served in the order of a monolith's one transaction, instead of by the orchestrator.
    pub is_naive: bool,
    /// Processes whose processor time is to be measured.
    pub pids: Vec<u32>,
}

impl Plan {
    /// A minute with a bit of everything: a rush at the opening, customers of every kind, lost replies throughout, and
    /// payments out of reach for a while. It takes a minute because the shortest hold does, and some have to expire.
    pub fn demo() -> Self {
        Self {
            checkouts: 3_000,
            spare_seats: 250,
            load: Load::Open { rate: 50.0, rush: 750 },
            mix: Mix::default(),
            lost_replies: 0.03,
            episodes: vec![Episode {
                participant: Some("payment"),
                trouble: Trouble { cut_off: true, ..Trouble::default() },
                after: Duration::from_secs(20),
                lasts: Duration::from_secs(5),
            }],
            ..Self::clean(0, Load::Closed { concurrency: 1 })
        }
    }

    /// So many customers who simply buy.
    pub fn clean(checkouts: usize, load: Load) -> Self {
        Self {
            checkouts,
            spare_seats: 0,
            load,
            mix: Mix::CLEAN,
            seed: 1,
            wait: Duration::from_secs(10),
            settle: Duration::from_secs(90),
            lost_replies: 0.0,
            episodes: Vec::new(),
            insists: Duration::ZERO,
            is_naive: false,
            pids: Vec::new(),
        }
    }
}
