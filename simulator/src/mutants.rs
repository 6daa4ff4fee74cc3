//! Mistakes that sagas are known to suffer from, each to be switched on in a run: what checks the runs must find every one
//! of them. They stand where the mistaken part is simulated; nothing that is shipped knows of them.

use std::fmt;

/// Declares the mutants with their numbers and what they do.
macro_rules! mutants {
    ($($(#[$doc:meta])* $mutant:ident = $number:literal $what:literal),+ $(,)?) => {
        /// One mistake.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant { $($(#[$doc])* $mutant),+ }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$mutant),+];

            /// Its number.
            pub fn number(self) -> u8 {
                match self { $(Self::$mutant => $number),+ }
            }

            /// What is done wrong.
            pub fn what(self) -> &'static str {
                match self { $(Self::$mutant => $what),+ }
            }
        }
    };
}

mutants! {
    /// A compensation that comes first does not bar its step.
    NoTombstone = 1 "a compensation that comes first leaves no tombstone",
    /// A step that is repeated happens again.
    ActionTwice = 2 "a repeated action has its effect again",
    /// A compensation that is repeated happens again.
    UndoTwice = 3 "a repeated compensation has its effect again",
    /// Each attempt is another operation.
    KeyPerAttempt = 4 "every attempt goes by a key of its own",
    /// Whoever writes last is right.
    NoFence = 5 "the journal takes writes of former owners",
    /// A time-out is taken for a failure.
    TimeoutIsFailure = 6 "a call without an answer is taken for not executed",
    /// Something in between repeats calls as new ones.
    GatewayRetries = 7 "a gateway repeats calls under a new key",
    /// Compensations end after some tries.
    UndoGivesUp = 8 "a compensation that failed three times is taken for done",
    /// Leases are judged by the clocks of replicas.
    LocalLeases = 9 "leases are judged by the clock of whoever looks",
    /// A participant forgets what it answered.
    NoStoredReply = 10 "a repeated action that succeeded is answered with a refusal",
    /// An acceptance is answered before it is durable.
    EarlyAck = 11 "an acceptance is acknowledged before it is durable",
    /// Status comes from a copy that lags.
    StaleStatus = 12 "status is read from a copy that lags behind",
    /// The barrier forgets within seconds.
    PurgeSoon = 13 "rows of the barrier are purged after 5 s",
    /// A new owner forgets what was in flight.
    RecoveryForgets = 14 "recovery past the deadline undoes only what is known to be done",
    /// An operator sends a saga forward that was turning back.
    ResumeForward = 15 "an operator resumes a parked compensation forward",
    /// The barrier forgets within a minute.
    PurgeLate = 16 "rows of the barrier are purged after 60 s",
}

impl Mutant {
    /// The mutant of a number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|mutant| mutant.number() == number)
    }

    /// After how many milliseconds rows of the barrier are purged by their age alone, if they are.
    pub(crate) fn purges_after_ms(self) -> Option<i64> {
        match self {
            Self::PurgeSoon => Some(5_000),
            Self::PurgeLate => Some(60_000),
            Self::NoTombstone
            | Self::ActionTwice
            | Self::UndoTwice
            | Self::KeyPerAttempt
            | Self::NoFence
            | Self::TimeoutIsFailure
            | Self::GatewayRetries
            | Self::UndoGivesUp
            | Self::LocalLeases
            | Self::NoStoredReply
            | Self::EarlyAck
            | Self::StaleStatus
            | Self::RecoveryForgets
            | Self::ResumeForward => None,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "M{} {}", self.number(), self.what())
    }
}
