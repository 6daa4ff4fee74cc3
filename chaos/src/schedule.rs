//! What goes wrong, when and to whom: drawn from a seed before a run begins, so that the seed brings it back.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use testbed::link::Way;

use crate::who::Who;

mod draw;
mod kind;

pub use draw::draw;
pub use kind::Kind;

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// When, counted from the beginning.
    pub at: Duration,
    /// How long until it is mended.
    pub lasts: Duration,
    /// Of which kind it is.
    pub kind: Kind,
    /// What it is.
    pub what: What,
}

/// What goes wrong, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `kill -9`, and a start when the time is over.
    Kill(Who),
    /// SIGSTOP, and SIGCONT when the time is over.
    Freeze(Who),
    /// It dies at each start until the time is over.
    CrashLoop(Who),
    /// The wall clock of a process jumps by so many seconds, and back when the time is over.
    Jump(Who, i64),
    /// Nothing passes from one to another in these directions, and nothing gets lost.
    Hold((Who, Who), Vec<Way>),
    /// Connections from one to another are cut, and none come about until the time is over.
    Cut((Who, Who)),
    /// The connections that stand from one to another carry nothing any more, and nobody says so.
    Forget((Who, Who)),
    /// What passes between one and another takes so much longer, each way.
    Slow((Who, Who), Duration),
    /// It accepts connections and requests and never answers.
    Hang(Who),
    /// Requests arrive, their replies do not: so many of them.
    LoseReplies((Who, Who), usize),
    /// Commits arrive, what became of them does not: so many of them.
    LoseCommits(Who, usize),
    /// The standby becomes the primary, which is killed.
    FailOver,
    /// All replicas are asked to end, one after the other, and come back as another version.
    Roll,
    /// Nothing can be written to the disk until the time is over.
    FullDisk,
}

/// The seed, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The seed.
    pub seed: u64,
    /// In the order of time.
    pub acts: Vec<Act>,
}

impl Schedule {
    /// When the last fault is mended.
    pub fn length(&self) -> Duration {
        self.acts.iter().map(|act| act.at + act.lasts).max().unwrap_or_default()
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(who) => write!(f, "kill -9 {who}"),
            Self::Freeze(who) => write!(f, "freeze {who}"),
            Self::CrashLoop(who) => write!(f, "{who} dies at each start"),
            Self::Jump(who, seconds) => write!(f, "the clock of {who} jumps by {seconds:+} s"),
            Self::Hold((from, to), ways) => {
                let ways: Vec<_> = ways.iter().map(|way| if *way == Way::There { "→" } else { "←" }).collect();
                write!(f, "nothing passes {from} {} {to}", ways.join(" "))
            }
            Self::Cut((from, to)) => write!(f, "no connection {from} → {to}"),
            Self::Forget((from, to)) => write!(f, "the connections {from} → {to} are forgotten"),
            Self::Slow((from, to), late) => write!(f, "{from} ⇄ {to} takes {} ms longer", late.as_millis()),
            Self::Hang(who) => write!(f, "{who} never answers"),
            Self::LoseReplies((from, to), times) => write!(f, "{times} replies of {to} to {from} are lost"),
            Self::LoseCommits(who, times) => write!(f, "{who} does not hear of {times} commits"),
            Self::FailOver => write!(f, "kill -9 the database, its standby takes over"),
            Self::Roll => write!(f, "all replicas restart, one by one, as another version"),
            Self::FullDisk => write!(f, "the disk is full"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, lasts) = (self.at.as_secs_f64(), self.lasts.as_secs_f64());
        write!(f, "{at:7.1} s  {}, for {lasts:.1} s", self.what)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {} faults in {:.0} s", self.seed, self.acts.len(), self.length().as_secs_f64())?;
        self.acts.iter().try_for_each(|act| writeln!(f, "  {act}"))
    }
}

impl Serialize for Act {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
