//! What is known of each kind of event beyond its data: which message they are, and for how long a notice of it is of use.
//! A kind that is missing here is published all the same, without `dataschema` and `expirytime`.

/// Where the names of protobuf messages become addresses, as in `google.protobuf.Any`.
const SCHEMAS: &str = "https://type.googleapis.com/ticketing.event.v1.";
/// Nobody wants to be told a day later.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// One kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Between `ticketing.` and `.v1`.
    name: &'static str,
    message: &'static str,
    /// How long after it a notice may still be sent.
    pub(crate) expires_after_ms: Option<i64>,
}

impl Kind {
    /// The value of `dataschema`.
    pub(crate) fn schema(&self) -> String {
        format!("{SCHEMAS}{}", self.message)
    }
}

const fn plain(name: &'static str, message: &'static str) -> Kind {
    Kind { name, message, expires_after_ms: None }
}

const fn notice(name: &'static str, message: &'static str) -> Kind {
    Kind { name, message, expires_after_ms: Some(DAY_MS) }
}

const KINDS: [Kind; 21] = [
    notice("checkout.completed", "CheckoutCompleted"),
    plain("checkout.failed", "CheckoutFailed"),
    notice("cancellation.completed", "CancellationCompleted"),
    notice("pointcharge.completed", "PointChargeCompleted"),
    plain("saga.suspended", "SagaSuspended"),
    plain("saga.resumed", "SagaResumed"),
    plain("reservation.held", "ReservationHeld"),
    plain("reservation.confirmed", "ReservationConfirmed"),
    plain("reservation.expired", "ReservationEnded"),
    plain("reservation.released", "ReservationEnded"),
    plain("reservation.cancelled", "ReservationEnded"),
    plain("payment.authorized", "PaymentAuthorized"),
    plain("payment.captured", "PaymentCaptured"),
    plain("payment.cancelled", "PaymentCancelled"),
    plain("refund.succeeded", "RefundSucceeded"),
    plain("points.posted", "PointsPosted"),
    plain("queuetoken.completed", "QueueTokenEnded"),
    plain("queuetoken.expired", "QueueTokenEnded"),
    plain("waitingroom.opened", "WaitingRoomChanged"),
    plain("waitingroom.closed", "WaitingRoomChanged"),
    plain("waitingroom.soldout", "WaitingRoomChanged"),
];

/// What is known of the kind.
pub(crate) fn find(kind: &str) -> Option<&'static Kind> {
    let name = kind.strip_prefix("ticketing.")?.strip_suffix(".v1")?;
    KINDS.iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::KINDS;

    #[test]
    fn every_schema_is_a_message_of_the_contract() {
        let set = FileDescriptorSet::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
        let file = set.file.iter().find(|file| file.package() == "ticketing.event.v1").unwrap();
        for kind in KINDS {
            assert!(file.message_type.iter().any(|message| message.name() == kind.message), "{kind:?}");
        }
    }
}
