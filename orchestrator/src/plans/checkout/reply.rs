//! The replies of the checkout's steps: checked against what was asked, and reduced to what anybody needs later.

use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::payment::v1 as payment;
use proto::token::v1 as token;
use service_kit::wire::millis;

use super::{CAPTURE_PAYMENT, CAPTURE_POINTS, CONFIRM, Confirmed, LOCK, Locked, PAYMENT, POINTS, TOKEN, locked};
use crate::plans::{Read, Reply, kept, last_segment};

pub(super) fn forward(read: Read<'_>) -> Result<Reply, String> {
    if read.step == LOCK {
        return lock(read);
    }
    let amount = locked(read.record).ok_or("the lock's reply is missing")?.amount;
    match read.step {
        POINTS => read.moved::<customer::ReservePointsResponse>(amount, |r| (&r.saga, r.amount)),
        PAYMENT => read.moved::<payment::AuthorizePaymentResponse>(amount, |r| (&r.saga, r.amount)),
        CONFIRM => confirm(read, amount),
        CAPTURE_POINTS => read.moved::<customer::CapturePointsResponse>(amount, |r| (&r.saga, r.amount)),
        CAPTURE_PAYMENT => read.moved::<payment::CapturePaymentResponse>(amount, |r| (&r.saga, r.amount)),
        TOKEN => read.echoed::<token::CompleteQueueTokenResponse>(|r| &r.saga),
        _ => read.unknown(),
    }
}

pub(super) fn compensation(read: Read<'_>) -> Result<Reply, String> {
    match read.step {
        LOCK => read.echoed::<concert::UnlockReservationResponse>(|r| &r.saga),
        POINTS => read.echoed::<customer::ReleasePointsResponse>(|r| &r.saga),
        PAYMENT => read.echoed::<payment::CancelPaymentResponse>(|r| &r.saga),
        _ => read.unknown(),
    }
}

fn lock(read: Read<'_>) -> Result<Reply, String> {
    let reply = read.of_saga::<concert::LockReservationResponse>(|r| &r.saga)?;
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
    Ok(Reply { output: kept(&locked), skip })
}

fn confirm(read: Read<'_>, amount: i64) -> Result<Reply, String> {
    let reply = read.of_amount::<concert::ConfirmReservationResponse>(amount, |r| (&r.saga, r.amount))?;
    let confirmed = Confirmed { tickets: reply.tickets.iter().map(|ticket| last_segment(&ticket.name)).collect() };
    Ok(Reply { output: kept(&confirmed), skip: Vec::new() })
}
