//! What a checkout holds while it is open: seats from the lock to the confirmation, points from the moment that they may
//! be set aside until they are moved or given back.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{CAPTURE_POINTS, CONFIRM, LOCK, POINTS};
use crate::exposure::Held;
use crate::journal::Record;
use crate::plans::{has_happened, may_be_there, output};

/// As much of what the lock answered as is counted here: every write of a checkout comes by.
#[derive(Deserialize)]
struct Locked {
    amount: i64,
    seats: Vec<IgnoredAny>,
}

/// What was never told is not counted; the saga is.
pub(super) fn by(record: &Record) -> Held {
    let Some(locked) = output::<Locked>(&record.saga, LOCK) else {
        return Held::default();
    };
    let seats = may_be_there(record, LOCK) && !has_happened(record, CONFIRM);
    let amount = may_be_there(record, POINTS) && !has_happened(record, CAPTURE_POINTS);
    Held {
        amount: if amount { locked.amount } else { 0 },
        seats: if seats { i64::try_from(locked.seats.len()).unwrap_or(i64::MAX) } else { 0 },
    }
}
