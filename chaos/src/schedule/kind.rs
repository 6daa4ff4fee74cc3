//! The kinds of faults, by the names that a command line uses.

use clap::ValueEnum;
use serde::Serialize;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// kill -9 of a replica.
    KillOrchestrator,
    /// kill -9 of a participant.
    KillParticipant,
    /// kill -9 of PostgreSQL.
    KillDatabase,
    /// A replica stands still for longer than its lease.
    FreezeOrchestrator,
    /// A participant stands still.
    FreezeParticipant,
    /// Two processes do not hear of each other.
    Partition,
    /// One process does not hear of another that hears of it.
    OneWay,
    /// Connections are cut and refused.
    Cut,
    /// Replies are lost after their requests were done.
    LostReply,
    /// What became of commits is lost.
    LostCommit,
    /// A connection is slow.
    Slow,
    /// A participant accepts and never answers.
    Hang,
    /// The wall clock of one process jumps by an hour or by days, to and fro.
    Clock,
    /// A process dies at each start for a while.
    CrashLoop,
    /// PostgreSQL's primary is killed and its standby promoted.
    FailOver,
    /// The replicas restart one after the other as another version, with another plan.
    Roll,
}

impl Kind {
    /// The kinds that a run has unless it is told which; those that need more than this machine's programs are asked for.
    pub const USUAL: [Self; 14] = [
        Self::KillOrchestrator,
        Self::KillParticipant,
        Self::KillDatabase,
        Self::FreezeOrchestrator,
        Self::FreezeParticipant,
        Self::Partition,
        Self::OneWay,
        Self::Cut,
        Self::LostReply,
        Self::LostCommit,
        Self::Slow,
        Self::Hang,
        Self::Clock,
        Self::CrashLoop,
    ];

    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// How often it is drawn, compared with others.
    pub(super) fn weight(self) -> usize {
        match self {
            Self::KillOrchestrator => 9,
            Self::KillParticipant | Self::LostReply => 4,
            Self::OneWay => 3,
            Self::FreezeOrchestrator | Self::Partition | Self::Cut | Self::LostCommit | Self::Slow | Self::Hang => 2,
            Self::Clock => 2,
            Self::KillDatabase | Self::FreezeParticipant | Self::CrashLoop | Self::FailOver | Self::Roll => 1,
        }
    }
}
