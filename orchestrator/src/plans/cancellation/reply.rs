//! The replies of the cancellation's steps: checked against what was asked, and reduced to what anybody needs later.

use proto::concert::v1 as concert;
use proto::customer::v1 as customer;
use proto::payment::v1 as payment;
use saga::StepIndex;

use super::{BEGIN, Begun, COMMIT, COMPLETE, CREDIT, REFUND, Refunded, begun, input};
use crate::plans::{Read, Reply, kept};

pub(super) fn forward(read: Read<'_>) -> Result<Reply, String> {
    if read.step == BEGIN {
        return begin(read);
    }
    let begun = begun(read.record).ok_or("the beginning's reply is missing")?;
    match read.step {
        REFUND => refund(read, &begun),
        COMMIT => read.moved::<concert::CommitReservationCancellationResponse>(begun.refund, |r| (&r.saga, r.amount)),
        CREDIT => read.moved::<customer::CreditPointsResponse>(begun.refund, |r| (&r.saga, r.amount)),
        COMPLETE => read.moved::<payment::CompleteRefundResponse>(begun.refund, |r| (&r.saga, r.amount)),
        _ => read.unknown(),
    }
}

pub(super) fn compensation(read: Read<'_>) -> Result<Reply, String> {
    match read.step {
        BEGIN => read.echoed::<concert::AbortReservationCancellationResponse>(|r| &r.saga),
        REFUND => read.echoed::<payment::CancelRefundResponse>(|r| &r.saga),
        _ => read.unknown(),
    }
}

fn begin(read: Read<'_>) -> Result<Reply, String> {
    let reply = read.of_saga::<concert::BeginReservationCancellationResponse>(|r| &r.saga)?;
    let (refund, reservation) = (reply.amount, reply.reservation.unwrap_or_default());
    let (fee, total) = (reservation.cancellation_fee, reservation.total_amount);
    let wanted = input(read.record)?.reservation;
    if reservation.name != wanted {
        return Err(format!("the reply speaks of \"{}\" instead of {wanted}", reservation.name));
    }
    if refund < 0 || fee < 0 || refund.checked_add(fee) != Some(total) {
        return Err(format!("the reply refunds {refund} and keeps {fee} of {total}"));
    }
    if reservation.payment.is_empty() && total > 0 {
        return Err(format!("the reply names no payment of the {total} that were paid"));
    }
    let begun = Begun {
        refund,
        fee,
        customer: reservation.customer,
        concert: reply.concert,
        payment: reservation.payment,
        seats: i64::try_from(reservation.items.len()).unwrap_or(i64::MAX),
    };
    Ok(Reply { output: kept(&begun), skip: needless(&begun) })
}

/// Where nothing is refunded, no refund is needed; where nothing was paid, nothing at all is booked.
fn needless(begun: &Begun) -> Vec<StepIndex> {
    match (begun.refund, begun.fee) {
        (0, 0) => vec![REFUND, CREDIT, COMPLETE],
        (0, _) => vec![REFUND, COMPLETE],
        _ => Vec::new(),
    }
}

fn refund(read: Read<'_>, begun: &Begun) -> Result<Reply, String> {
    let reply = read.of_amount::<payment::CreateRefundResponse>(begun.refund, |r| (&r.saga, r.amount))?;
    let name = reply.refund.unwrap_or_default().name;
    if !name.starts_with(&format!("{}/refunds/", begun.payment)) {
        return Err(format!("the reply speaks of \"{name}\" instead of a refund of {}", begun.payment));
    }
    Ok(Reply { output: kept(&Refunded { name }), skip: Vec::new() })
}
