//! What the replies of all sagas have in common: they are checked against what was asked, and reduced to what anybody
//! needs later.

use prost::Message;
use saga::{Call, Direction, StepIndex};
use serde::Serialize;

use super::{Reply, word};
use crate::journal::Record;

/// The OK reply of one step in one direction that is to be read.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    /// The saga as it stands.
    pub record: &'a Record,
    /// Which step.
    pub step: StepIndex,
    /// Which direction.
    pub direction: Direction,
    /// The encoded reply.
    pub bytes: &'a [u8],
}

impl<'a> Read<'a> {
    pub(crate) fn new(record: &'a Record, call: Call, bytes: &'a [u8]) -> Self {
        Self { record, step: call.step, direction: call.direction, bytes }
    }

    /// The reply, of the saga that was asked for.
    ///
    /// # Errors
    /// When it is no such message, or speaks of another saga.
    pub fn of_saga<R: Message + Default>(&self, echo: impl Fn(&R) -> &String) -> Result<R, String> {
        let reply = R::decode(self.bytes).map_err(|error| format!("the reply cannot be decoded: {error}"))?;
        let (echo, saga) = (echo(&reply), format!("sagas/{}", self.record.id));
        if *echo == saga { Ok(reply) } else { Err(format!("the reply speaks of \"{echo}\" instead of {saga}")) }
    }

    /// The reply, of the saga and the amount that were asked for.
    ///
    /// # Errors
    /// When it is no such message, or speaks of another saga or amount.
    pub fn of_amount<R: Message + Default>(
        &self,
        amount: i64,
        echo: impl Fn(&R) -> (&String, i64),
    ) -> Result<R, String> {
        let reply = self.of_saga(|reply| echo(reply).0)?;
        match echo(&reply).1 {
            echo if echo == amount => Ok(reply),
            echo => Err(format!("the reply speaks of {echo} instead of {amount}")),
        }
    }

    /// Nothing more is needed of the reply than that it speaks of the saga.
    ///
    /// # Errors
    /// As [`Read::of_saga`].
    pub fn echoed<R: Message + Default>(&self, echo: impl Fn(&R) -> &String) -> Result<Reply, String> {
        self.of_saga(echo).map(|_| Reply::default())
    }

    /// Nothing more is needed of the reply than that it speaks of the saga and the amount.
    ///
    /// # Errors
    /// As [`Read::of_amount`].
    pub fn moved<R: Message + Default>(
        &self,
        amount: i64,
        echo: impl Fn(&R) -> (&String, i64),
    ) -> Result<Reply, String> {
        self.of_amount(amount, echo).map(|_| Reply::default())
    }

    /// The answer where there is no such reply.
    ///
    /// # Errors
    /// Always.
    pub fn unknown<T>(&self) -> Result<T, String> {
        Err(format!("step {} has no reply {}", self.step.0, word(self.direction)))
    }
}

/// What the journal keeps of a reply.
pub fn kept(output: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(output).expect("plain text and numbers always serialize")
}

/// The id at the end of a resource name.
pub fn last_segment(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
