//! Small stories that pass through the points: what is there before, what is done while the process may die, and what must
//! be true afterwards beyond what is true after every death.

use anyhow::Result;
use tonic::transport::Channel;

use crate::history::History;
use crate::life::Life;
use crate::shop::{Held, PRICE, Stage};

mod others;
mod sagas;

pub(crate) use sagas::{Kind, Turn};

/// How long a customer waits for his outcome.
const WAIT_MS: i64 = 5_000;

/// One of the stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Story {
    /// A saga takes its course.
    Saga(Kind, Turn),
    /// The process begins where another one has left a saga open.
    Begins,
    /// It begins on an empty database.
    BeginsAnew,
    /// It is asked to end while a saga is open.
    Ends,
    /// A customer looks at his checkout.
    Looks,
    /// Points are given and a seat is held, each by a request that may be repeated.
    Requests,
    /// A customer queues in the waiting room.
    Queues,
    /// The books of customers are followed.
    Books,
    /// What happened is published, and nobody takes it at one of the sinks.
    Unheard,
    /// Somebody is told that he has bought, and so is the data platform.
    Notices,
    /// A performance is cancelled that somebody has bought a seat of.
    Struck,
    /// Sagas that were parked are let go by one operation.
    Bulk,
    /// What ended long ago is archived.
    Archived,
}

/// How a process comes to its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is told while it runs.
    Told,
    /// It begins with it, in the database that is there.
    Born,
    /// It begins with it, in an empty one.
    BornAnew,
}

impl Story {
    pub(crate) fn way(self) -> Way {
        match self {
            Self::Begins | Self::Unheard => Way::Born,
            Self::BeginsAnew => Way::BornAnew,
            Self::Saga(..)
            | Self::Ends
            | Self::Looks
            | Self::Requests
            | Self::Queues
            | Self::Books
            | Self::Notices
            | Self::Struck
            | Self::Bulk
            | Self::Archived => Way::Told,
        }
    }

    /// Whether it waits for what happens seldom, and is left out where there is little time.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Struck | Self::Bulk | Self::Books)
    }

    /// Further settings of the process that is to die.
    pub(crate) fn settings(self) -> &'static [&'static str] {
        match self {
            // Nobody listens there.
            Self::Unheard => &["events.sinks=[\"log\", \"webhook\"]", "events.webhook.url=http://127.0.0.1:9/"],
            Self::Saga(..)
            | Self::Begins
            | Self::BeginsAnew
            | Self::Ends
            | Self::Looks
            | Self::Requests
            | Self::Queues
            | Self::Books
            | Self::Notices
            | Self::Struck
            | Self::Bulk
            | Self::Archived => &[],
        }
    }
}

/// Whoever acts.
pub(crate) struct Actor<'a> {
    pub(crate) life: &'a mut Life,
    pub(crate) channel: &'a Channel,
    pub(crate) stage: &'a mut Stage,
    pub(crate) history: &'a mut History,
}

impl Actor<'_> {
    /// Makes what the story begins with.
    pub(crate) async fn prepare(&mut self, story: Story) -> Result<Held> {
        match story {
            Story::Saga(kind, _) => self.prepare_saga(kind).await,
            Story::Begins | Story::Ends => {
                let held = self.stage.held(self.channel, PRICE).await?;
                self.leave_open(&held).await?;
                Ok(held)
            }
            Story::BeginsAnew => Ok(Held::default()),
            Story::Looks | Story::Unheard | Story::Notices => Ok(self.stage.held(self.channel, PRICE).await?),
            Story::Requests | Story::Queues | Story::Books => {
                let customer = self.stage.customer(self.channel, 0).await?;
                let ids = [self.stage.id(), self.stage.id()];
                Ok(Held { customer, ids, seat: self.stage.seat(), ..Held::default() })
            }
            Story::Struck => {
                let held = self.stage.held_alone(self.channel).await?;
                self.buy(&held, WAIT_MS).await?;
                self.history.settle(self.channel).await?;
                Ok(held)
            }
            Story::Bulk => self.park().await,
            Story::Archived => {
                let held = self.stage.held(self.channel, PRICE).await?;
                self.buy(&held, WAIT_MS).await?;
                self.history.settle(self.channel).await?;
                Ok(held)
            }
        }
    }

    /// Does what the story tells, as far as the process lives.
    pub(crate) async fn act(&mut self, story: Story, held: &Held) -> Result<()> {
        match story {
            Story::Saga(kind, turn) => self.act_saga((kind, turn), held).await,
            Story::Begins | Story::BeginsAnew => Ok(()),
            Story::Ends => self.life.terminate(),
            Story::Looks => self.look(held).await,
            Story::Requests => self.request(held).await,
            Story::Queues => {
                self.stage.queue(self.channel, &held.customer).await?;
                Ok(())
            }
            Story::Books => Ok(self.stage.give(self.channel, (&held.customer, &held.ids[0]), PRICE).await?),
            Story::Unheard | Story::Notices => {
                self.buy(held, WAIT_MS).await?;
                Ok(())
            }
            Story::Struck => self.strike(held).await,
            Story::Bulk => self.let_go(held).await,
            Story::Archived => self.life.tell("archive").await,
        }
    }

    /// What must be true of it in the next life.
    pub(crate) async fn after(&mut self, story: Story, held: &Held) -> Result<()> {
        match story {
            Story::Requests => self.requested(held).await,
            Story::Queues => self.queued(held).await,
            Story::Struck => self.given_back(held).await,
            Story::Saga(..)
            | Story::Begins
            | Story::BeginsAnew
            | Story::Ends
            | Story::Looks
            | Story::Books
            | Story::Unheard
            | Story::Notices
            | Story::Bulk
            | Story::Archived => Ok(()),
        }
    }
}
