//! Everything that can go wrong, and whether it does. Each place where something may go wrong has a key; whether it does
//! there follows from the seed and the key alone. What did go wrong is a list, and a run can be repeated with a part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fastrand::Rng;

use crate::dice::mix;
use crate::swarm::Swarm;

/// Declares the kinds with their names.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal),+ $(,)?) => {
        /// What can go wrong, or be done, at random.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name in lists.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }
        }
    };
}

kinds! {
    /// Somebody wants something: not a fault, but a run can be shrunk by it.
    Wish = "wish",
    /// A call never arrives, and the caller cannot tell.
    LostRequest = "lost request",
    /// It has its effect, and the caller cannot tell.
    LostReply = "lost reply",
    /// It arrives when the caller has given up.
    Late = "late",
    /// It arrives twice at once.
    Twice = "twice",
    /// It arrives, and again later.
    Again = "again",
    /// It takes a while.
    Slow = "slow",
    /// It never arrives, and nobody answers.
    Hang = "hang",
    /// It never arrives, and the caller knows.
    NotSent = "not sent",
    /// The participant asks to be left alone.
    Overloaded = "overloaded",
    /// Somebody outside is said to decide still.
    Pending = "pending",
    /// It has its effect, and the answer is garbage.
    Garbage = "garbage",
    /// It has its effect, and something answers with a code that says nothing.
    Unclear = "unclear",
    /// It has its effect, and the participant dies before it answers.
    ServiceCrash = "service crash",
    /// A participant is away.
    ServiceOutage = "service outage",
    /// A participant says no.
    Refusal = "refusal",
    /// The journal fails before a write or a read.
    StoreBefore = "store fails before",
    /// The journal fails after a write.
    StoreAfter = "store fails after",
    /// The journal takes a while.
    StoreSlow = "store slow",
    /// The journal is away.
    StoreOutage = "store outage",
    /// A replica dies, between any two steps of any of its tasks, and another one starts.
    Crash = "crash",
    /// A replica stands still, and then goes on as if nothing had been.
    Pause = "pause",
    /// A replica's clock jumps.
    ClockJump = "clock jump",
    /// A customer's request is lost.
    AskLost = "ask lost",
    /// The answer to a customer is lost.
    AnswerLost = "answer lost",
    /// A customer's request arrives twice.
    AskTwice = "ask twice",
    /// A customer repeats a request with another body.
    OtherBody = "other body",
    /// A customer changes his mind.
    Cancel = "cancel",
    /// An operator holds a saga.
    Suspend = "suspend",
    /// An operator lets one go on.
    Resume = "resume",
    /// An operator wants it tried now.
    Retry = "retry",
    /// An operator turns it back.
    Abort = "abort",
}

impl Kind {
    /// How long it takes or lasts, in milliseconds.
    fn length(self, dice: &mut Rng, swarm: &Swarm) -> u32 {
        match self {
            Self::Late | Self::Again => dice.u32(20..swarm.latest_ms),
            Self::Slow | Self::StoreSlow => dice.u32(10..2_500),
            Self::ServiceCrash => dice.u32(50..3_000),
            Self::ServiceOutage | Self::StoreOutage => dice.u32(200..15_000),
            Self::Crash => dice.u32(20..9_000),
            Self::Pause => dice.u32(500..swarm.longest_pause_ms),
            Self::ClockJump => dice.u32(1..swarm.widest_jump_ms),
            Self::Overloaded | Self::Pending => dice.u32(1..2_000),
            Self::Wish
            | Self::LostRequest
            | Self::LostReply
            | Self::Twice
            | Self::Hang
            | Self::NotSent
            | Self::Garbage
            | Self::Unclear
            | Self::Refusal
            | Self::StoreBefore
            | Self::StoreAfter
            | Self::AskLost
            | Self::AnswerLost
            | Self::AskTwice
            | Self::OtherBody
            | Self::Cancel
            | Self::Suspend
            | Self::Resume
            | Self::Retry
            | Self::Abort => 0,
        }
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where, for a repetition.
    pub key: u64,
    /// What.
    pub kind: Kind,
    /// For how long, where that means something.
    pub ms: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ms {
            0 => write!(f, "{}", self.kind.name()),
            ms => write!(f, "{} {ms} ms", self.kind.name()),
        }
    }
}

/// The faults of one run.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    swarm: Swarm,
    only: Option<BTreeSet<u64>>,
    fired: Vec<Fault>,
    seen: BTreeMap<u64, u64>,
    calm: bool,
}

impl Faults {
    pub(crate) fn new(seed: u64, swarm: Swarm, only: Option<BTreeSet<u64>>) -> Self {
        Self { seed, swarm, only, fired: Vec::new(), seen: BTreeMap::new(), calm: false }
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn calm(&mut self) {
        self.calm = true;
    }

    pub(crate) fn fired(&self) -> &[Fault] {
        &self.fired
    }

    /// What goes wrong, of these kinds, the next time at this place.
    pub(crate) fn at(&mut self, place: u64, kinds: &[Kind]) -> Option<Fault> {
        if self.calm {
            return None;
        }
        let nth = self.seen.entry(place).or_default();
        *nth += 1;
        let nth = *nth;
        self.draw(mix(&[self.seed, place, nth]), kinds)
    }

    /// What goes wrong, of these kinds, at a place where it goes wrong always or never.
    pub(crate) fn always_at(&mut self, place: u64, kinds: &[Kind]) -> Option<Fault> {
        let key = mix(&[self.seed, place]);
        self.draw(key, kinds)
    }

    /// Whether something that was planned takes place.
    pub(crate) fn planned(&mut self, place: u64, kind: Kind) -> Option<Fault> {
        let key = mix(&[self.seed, place]);
        let ms = kind.length(&mut Rng::with_seed(key), &self.swarm);
        self.fire(Fault { key, kind, ms })
    }

    fn draw(&mut self, key: u64, kinds: &[Kind]) -> Option<Fault> {
        let mut dice = Rng::with_seed(key);
        let mut roll = dice.u32(..10_000);
        for kind in kinds {
            let rate = self.swarm.rate(*kind);
            if roll < rate {
                let ms = kind.length(&mut dice, &self.swarm);
                return self.fire(Fault { key, kind: *kind, ms });
            }
            roll -= rate;
        }
        None
    }

    fn fire(&mut self, fault: Fault) -> Option<Fault> {
        if self.only.as_ref().is_some_and(|only| !only.contains(&fault.key)) {
            return None;
        }
        if !self.fired.iter().any(|fired| fired.key == fault.key) {
            self.fired.push(fault);
        }
        Some(fault)
    }
}
