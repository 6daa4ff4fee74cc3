//! The kinds of faults, by the names that a command line uses.

use clap::ValueEnum;
use serde::Serialize;

use crate::who::Cast;

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
    /// Something on the way forgets the connections that stand: whatever is sent on them vanishes.
    Forgotten,
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
    /// The disk of the one process is full.
    FullDisk,
}

impl Kind {
    /// The kinds that a run of such a cast has unless it is told which: those that need neither a second server, nor
    /// another version, nor a right that only root has.
    pub fn usual(cast: Cast) -> Vec<Self> {
        use Kind::*;
        match cast {
            Cast::Apart => vec![
                KillOrchestrator,
                KillParticipant,
                KillDatabase,
                FreezeOrchestrator,
                FreezeParticipant,
                Partition,
                OneWay,
                Cut,
                LostReply,
                LostCommit,
                Slow,
                Hang,
                Clock,
                CrashLoop,
            ],
            Cast::One => vec![KillOrchestrator, FreezeOrchestrator, Partition, OneWay, Cut, Slow, Clock, CrashLoop],
        }
    }

    /// Whether such a cast has whom it needs.
    pub fn fits(self, cast: Cast) -> bool {
        match self {
            Self::KillParticipant | Self::FreezeParticipant | Self::Hang | Self::LostReply => cast == Cast::Apart,
            Self::KillDatabase | Self::LostCommit | Self::FailOver | Self::Roll => cast == Cast::Apart,
            Self::FullDisk => cast == Cast::One,
            Self::KillOrchestrator | Self::FreezeOrchestrator | Self::Partition | Self::OneWay => true,
            Self::Forgotten => true,
            Self::Cut | Self::Slow | Self::Clock | Self::CrashLoop => true,
        }
    }

    /// Whether it takes a network on which something can really get lost.
    pub fn needs_network(self) -> bool {
        self == Self::Forgotten
    }

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
            Self::Clock | Self::Forgotten => 2,
            Self::KillDatabase | Self::FreezeParticipant | Self::CrashLoop => 1,
            Self::FailOver | Self::Roll | Self::FullDisk => 1,
        }
    }
}
