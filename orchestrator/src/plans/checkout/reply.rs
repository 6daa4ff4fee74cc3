//! The replies of the checkout's steps: checked against what was asked, and reduced to what anybody needs later.

use prost::Message;
use proto::concert::v1 as concert;
use service_kit::wire::millis;

use super::{CAPTURE_PAYMENT, CAPTURE_POINTS, Confirmed, Locked, PAYMENT, POINTS, locked, to_json};
use crate::journal::Record;
use crate::plans::Reply;

/// Reads the reply of one step.
pub(super) struct Read<'a> {
    pub(super) record: &'a Record,
    pub(super) bytes: &'a [u8],
}

impl Read<'_> {
    fn decode<R: Message + Default>(&self) -> Result<R, String> {
        R::decode(self.bytes).map_err(|error| format!("the reply cannot be decoded: {error}"))
    }

    fn same_saga(&self, echo: &str) -> Result<(), String> {
        let saga = format!("sagas/{}", self.record.id);
        if echo == saga { Ok(()) } else { Err(format!("the reply speaks of \"{echo}\" instead of {saga}")) }
    }

    fn same_amount(&self, echo: i64) -> Result<(), String> {
        match locked(self.record) {
            Some(Locked { amount, .. }) if amount == echo => Ok(()),
            Some(Locked { amount, .. }) => Err(format!("the reply speaks of {echo} instead of {amount}")),
            None => Err("the lock's reply is missing".into()),
        }
    }

    pub(super) fn echoed<R: Message + Default>(&self, echo: impl Fn(&R) -> &String) -> Result<Reply, String> {
        self.same_saga(echo(&self.decode()?))?;
        Ok(Reply::default())
    }

    pub(super) fn moved<R: Message + Default>(&self, echo: impl Fn(&R) -> (&String, i64)) -> Result<Reply, String> {
        let reply = self.decode()?;
        let (saga, amount) = echo(&reply);
        self.same_saga(saga)?;
        self.same_amount(amount)?;
        Ok(Reply::default())
    }

    pub(super) fn locked(&self) -> Result<Reply, String> {
        let reply: concert::LockReservationResponse = self.decode()?;
        self.same_saga(&reply.saga)?;
        if reply.amount < 0 {
            return Err(format!("the reply speaks of the amount {}", reply.amount));
        }
        let reservation = reply.reservation.unwrap_or_default();
        let seats: Vec<_> = reservation.items.iter().map(|item| last_segment(&item.seat)).collect();
        let locked = Locked {
            amount: reply.amount,
            concert: reply.concert,
            title: reply.concert_title,
            artist: reply.artist,
            start_ms: reply.performance_start_time.map_or(0, millis),
            performance: reservation.performance,
            seats: seats.into_iter().zip(reply.seat_labels).collect(),
        };
        // A free ticket moves no money.
        let skip = if locked.amount == 0 { vec![POINTS, PAYMENT, CAPTURE_POINTS, CAPTURE_PAYMENT] } else { Vec::new() };
        Ok(Reply { output: to_json(&locked), skip })
    }

    pub(super) fn confirmed(&self) -> Result<Reply, String> {
        let reply: concert::ConfirmReservationResponse = self.decode()?;
        self.same_saga(&reply.saga)?;
        self.same_amount(reply.amount)?;
        let confirmed = Confirmed { tickets: reply.tickets.iter().map(|ticket| last_segment(&ticket.name)).collect() };
        Ok(Reply { output: to_json(&confirmed), skip: Vec::new() })
    }
}

/// The id at the end of a resource name.
fn last_segment(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}
