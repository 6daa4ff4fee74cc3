//! What a walk is allowed to do.

use crate::mutant::Mutant;

/// What is walked through.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// The most faults of one schedule.
    pub faults: u8,
    /// One that crashes and starts again, or two that take sagas over from each other.
    pub orchestrators: u8,
    /// A rule that is wrong.
    pub mutant: Option<Mutant>,
    /// Whether late requests that can do nothing any more are kept all the same: the walk is longer and finds the same.
    pub keeps_all: bool,
}

impl Rules {
    /// The shipped rules.
    pub fn shipped(faults: u8, orchestrators: u8) -> Rules {
        Rules { faults, orchestrators, mutant: None, keeps_all: false }
    }

    /// With one that is wrong.
    pub fn with(mutant: Mutant, faults: u8, orchestrators: u8) -> Rules {
        Rules { faults, orchestrators, mutant: Some(mutant), keeps_all: true }
    }
}
