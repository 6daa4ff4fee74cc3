//! Plans of every shape that the tests run.

use saga::{Plan, pivot, retriable, step, together};

/// A pivot in the middle, a group of retriable steps after it.
pub(crate) static CHECKOUT: Plan = Plan::new(
    "checkout",
    1,
    &[
        step("lock-reservation", "concert/LockReservation", "concert/UnlockReservation"),
        step("reserve-points", "customer/ReservePoints", "customer/ReleasePoints"),
        step("authorize-payment", "payment/AuthorizePayment", "payment/CancelPayment"),
        pivot("confirm-reservation", "concert/ConfirmReservation").arbiter("lock-reservation", "RESERVATION_CONFIRMED"),
        together(&[
            retriable("capture-points", "customer/CapturePoints"),
            retriable("capture-payment", "payment/CapturePayment"),
            retriable("complete-token", "token/CompleteQueueToken"),
        ]),
    ],
);

/// Retriable steps one after the other.
pub(crate) static CANCELLATION: Plan = Plan::new(
    "cancellation",
    1,
    &[
        step("begin", "concert/BeginReservationCancellation", "concert/AbortReservationCancellation"),
        step("create-refund", "payment/CreateRefund", "payment/CancelRefund"),
        pivot("commit", "concert/CommitReservationCancellation").arbiter("begin", "CANCELLATION_COMMITTED"),
        retriable("credit-points", "customer/CreditPoints"),
        retriable("complete-refund", "payment/CompleteRefund"),
    ],
);

/// The arbiter is the step right before the pivot.
pub(crate) static CHARGE: Plan = Plan::new(
    "charge",
    1,
    &[
        step("authorize", "payment/AuthorizePayment", "payment/CancelPayment"),
        pivot("capture", "payment/CapturePayment").arbiter("authorize", "PAYMENT_CAPTURED"),
        retriable("credit", "customer/CreditPoints"),
    ],
);

/// No pivot: the last compensatable step decides.
pub(crate) static TRIP: Plan = Plan::new(
    "trip",
    1,
    &[
        step("hotel", "hotel/Book", "hotel/Cancel"),
        step("flight", "flight/Book", "flight/Cancel"),
        retriable("mail", "mail/Send"),
    ],
);

/// Neither pivot nor retriable steps.
pub(crate) static PAIR: Plan =
    Plan::new("pair", 1, &[step("left", "left/Do", "left/Undo"), step("right", "right/Do", "right/Undo").budget(1)]);

/// Compensatable steps side by side, and nothing after the pivot.
pub(crate) static GROUP: Plan = Plan::new(
    "group",
    1,
    &[
        step("seat", "concert/Lock", "concert/Unlock"),
        together(&[
            step("points", "customer/Reserve", "customer/Release"),
            step("card", "payment/Authorize", "payment/Cancel"),
        ]),
        pivot("confirm", "concert/Confirm").arbiter("seat", "CONFIRMED"),
    ],
);

/// Participants that do not store refusals.
pub(crate) static FORGETFUL: Plan = Plan::new(
    "forgetful",
    1,
    &[
        step("seat", "concert/Lock", "concert/Unlock").forgets_refusals(),
        step("points", "customer/Reserve", "customer/Release").forgets_refusals(),
        pivot("confirm", "concert/Confirm").arbiter("seat", "CONFIRMED").forgets_refusals(),
        retriable("capture", "customer/Capture"),
    ],
);

pub(crate) static ALL: [&Plan; 7] = [&CHECKOUT, &CANCELLATION, &CHARGE, &TRIP, &PAIR, &GROUP, &FORGETFUL];

pub(crate) fn named(kind: &str) -> &'static Plan {
    ALL.into_iter().find(|plan| plan.kind == kind).expect("a plan of the tests")
}
