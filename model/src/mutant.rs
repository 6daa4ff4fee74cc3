//! Rules that are wrong, each as some system in use once had it. A model that does not catch them proves nothing.

/// One wrong rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A compensation that finds nothing leaves no tombstone.
    NoTombstone,
    /// A repeated request does the step again.
    ActionTwice,
    /// A repeated compensation takes the step back again.
    CompensationTwice,
    /// Every attempt goes by a key of its own.
    KeyPerAttempt,
    /// The journal takes writes of whoever writes.
    NoFence,
    /// A timeout is taken for a refusal.
    TimeoutIsFailure,
    /// A message that is doubled on its way goes by a new key.
    GatewayKey,
    /// A compensation that was in doubt once is taken for done.
    CompensationCapped,
    /// The participant keeps no reply: a repeat is told that it failed.
    NoStoredResult,
    /// Calls go out although nobody knows whether their intents are durable.
    UnconfirmedWrite,
    /// Participants forget their rows as soon as the saga has ended.
    RowsPurged,
    /// Whoever takes a saga over after its deadline takes what was in flight for not done.
    KnownDoneOnly,
    /// Calls go out before their intents are written.
    SendBeforeWrite,
    /// That a participant has rolled back is taken for proof, though a copy of the request may be on its way.
    RolledBackIsProof,
    /// Nobody looks for sagas whose process has died.
    NobodyAdopts,
    /// An operator sends a step of a saga again by hand, whatever has become of it. The barrier makes that harmless.
    HandSent,
}

impl Mutant {
    /// All that have to be caught.
    pub const CAUGHT: [Mutant; 15] = [
        Mutant::NoTombstone,
        Mutant::ActionTwice,
        Mutant::CompensationTwice,
        Mutant::KeyPerAttempt,
        Mutant::NoFence,
        Mutant::TimeoutIsFailure,
        Mutant::GatewayKey,
        Mutant::CompensationCapped,
        Mutant::NoStoredResult,
        Mutant::UnconfirmedWrite,
        Mutant::RowsPurged,
        Mutant::KnownDoneOnly,
        Mutant::SendBeforeWrite,
        Mutant::RolledBackIsProof,
        Mutant::NobodyAdopts,
    ];
}
