//! What can go wrong with books, each with the rule that finds it. Every statement runs on both engines.

use crate::copy::UNGUARD;

/// The rule that finds it, what it is, and the statements that bring it about.
type Corruption = (&'static str, &'static str, &'static [&'static str]);

/// All of them.
pub(crate) const CORRUPTIONS: &[Corruption] = &[
    // Seats.
    (
        "S1",
        "a sold seat without a reservation",
        &["update concert_performance_seats set reservation_id = performance_id where state = 3"],
    ),
    ("S2", "a sold seat that is only held", &["update concert_performance_seats set state = 2 where state = 3"]),
    ("S3", "a leaked seat", &["update concert_performance_seats set state = 1, reservation_id = null where state = 3"]),
    (
        "S3",
        "a seat sold twice",
        &["update concert_performance_seats set reservation_id = (select reservation_id from concert_reservations \
            where state = 3 order by reservation_id limit 1) where state = 3"],
    ),
    ("S4", "lost tickets", &["delete from concert_tickets where state = 1"]),
    ("S5", "a seat too few", &["update concert_performances set seat_count = seat_count + 1"]),
    ("S6", "a sold seat that lapses", &["update concert_performance_seats set hold_expire_time = 1 where state = 3"]),
    (
        "S6b",
        "a seat locked for good",
        &["update concert_reservations set state = 2, lock_saga_id = confirm_saga_id where state = 3"],
    ),
    (
        "S7",
        "more seats than a customer may have",
        &["update concert_concerts set max_seats_per_customer = 0, top_seats_per_customer = 0"],
    ),
    (
        "S8",
        "confirmed after the hold had lapsed",
        &["update concert_reservations set lock_time = expire_time where state = 3"],
    ),
    ("S9", "a change that nobody wrote down", &["delete from concert_reservation_transitions where to_state = 3"]),
    ("S10", "a fee for nothing", &["update concert_reservations set cancellation_fee = 1 where state = 3"]),
    (
        "S11",
        "a confirmation that nobody heard of",
        &["delete from concert_outbox where type = 'ticketing.reservation.confirmed.v1'"],
    ),
    (
        "S11",
        "a return told twice",
        &[
            "insert into concert_outbox select bucket, saga_id, aggregate, type, saga_id, data, create_time, publish_time, \
            partition_key, version from concert_outbox where type = 'ticketing.reservation.cancelled.v1'",
        ],
    ),
    // Points.
    ("P1", "an entry of nothing", &["update customer_transfers set amount = 0 where kind = 2"]),
    ("P2", "points out of nothing", &["update customer_customers set posted = posted + 1"]),
    ("P3", "points set aside for nobody", &["update customer_customers set reserved = reserved + 1"]),
    ("P4", "a balance below nothing", &["update customer_customers set posted = -1"]),
    ("P5", "points captured without an entry", &["delete from customer_transfers where kind = 2"]),
    (
        "P5",
        "points spent twice",
        &["insert into customer_transfers select customer_id, sequence + 1000, saga_id, kind, amount, debit_account, \
            credit_account, balance_after, saga_id, request_id, reason, create_time, hash from customer_transfers \
            where kind = 2"],
    ),
    ("P6", "a ledger that can be changed", &[UNGUARD]),
    ("P7", "a gap in a chain", &["delete from customer_transfers where sequence = 1"]),
    ("P8", "a forged entry", &["update customer_transfers set reason = 'forged' where kind = 2"]),
    ("P9", "points that moved untold", &["delete from customer_outbox where saga_id is not null"]),
    // Payments.
    (
        "Y1",
        "more given back than was taken",
        &["update payment_payments set refunded_amount = captured_amount + 1 where state = 3"],
    ),
    (
        "Y1b",
        "given back without a refund",
        &[
            "update payment_payments set refunded_amount = 1 where state = 3 and refunded_amount = 0 and refunding_amount = 0",
        ],
    ),
    (
        "Y2",
        "two payments for one thing",
        &["update payment_payments set reference = (select reference from payment_payments where state = 3 \
            order by saga_id limit 1) where state = 3"],
    ),
    (
        "Y3",
        "a wrong amount",
        &[
            "update payment_payments set authorized_amount = authorized_amount + 1, captured_amount = captured_amount + 1 \
            where state = 3",
        ],
    ),
    (
        "Y4",
        "taken and not booked",
        &["update payment_payments set captured_amount = captured_amount * 100 where method = 1"],
    ),
    (
        "Y5",
        "a seat at another price",
        &["update concert_reservations set total_amount = total_amount * 100 where state = 3"],
    ),
    (
        "Y6",
        "a processor that is asked for nothing",
        &["insert into payment_errands select saga_id, saga_id, 1, 0, 0, '', 0 from payment_payments where state = 3"],
    ),
    ("Y7", "a payment taken untold", &["delete from payment_outbox where type = 'ticketing.payment.captured.v1'"]),
    (
        "Y7",
        "a refund told twice",
        &[
            "insert into payment_outbox select bucket, saga_id, aggregate, type, saga_id, data, create_time, publish_time, \
            partition_key, version from payment_outbox where type = 'ticketing.refund.succeeded.v1'",
        ],
    ),
    ("F1", "a double refund", &["update payment_refunds set amount = amount * 2 where state = 2"]),
    // Deliveries.
    (
        "D1",
        "told twice",
        &[
            "insert into payment_deliveries select event_id, event_source, event_id, event_type, channel, state, saga_id, \
            customer_id, payload, attempt_count, version, last_error, next_attempt_time, accept_time, expire_time, \
            create_time, end_time from payment_deliveries",
        ],
    ),
    ("D2", "an ended delivery that goes on", &["update payment_deliveries set next_attempt_time = 1"]),
    (
        "D3",
        "a text message for a notice that was not given up",
        &["insert into payment_deliveries select event_id, event_source, event_id, event_type, 2, state, saga_id, \
            customer_id, payload, attempt_count, version, last_error, next_attempt_time, accept_time, expire_time, \
            create_time, end_time from payment_deliveries where channel = 1"],
    ),
    (
        "D4",
        "an event that was taken and lost",
        &["delete from payment_deliveries where channel = 3 and event_type = 'ticketing.checkout.completed.v1'"],
    ),
    (
        "D4",
        "no notice of a purchase",
        &["delete from payment_deliveries where id = (select id from payment_deliveries \
        where channel = 1 and event_type = 'ticketing.checkout.completed.v1' order by id limit 1)"],
    ),
    (
        "D4",
        "a delivery that nobody works on",
        &["update payment_deliveries set state = 3, end_time = null, next_attempt_time = 1 where channel = 3"],
    ),
    (
        "D4",
        "an event that nobody publishes",
        &["update orchestrator_outbox set publish_time = null where type = 'ticketing.checkout.completed.v1'"],
    ),
    (
        "D4",
        "an event that a sink refused",
        &[
            "insert into event_dead select '/ticketing/orchestrator', 'webhook', id, aggregate, version, bucket, type, saga_id, \
            data, create_time, partition_key, 1, create_time, 'no' from orchestrator_outbox",
        ],
    ),
    ("D4", "word of an event that never was", &["update payment_deliveries set event_id = id where channel = 3"]),
    ("X8b", "an event behind a later one", &["update customer_outbox set publish_time = null where version = 1"]),
    // Places in line.
    ("Q1", "inside before his turn", &["update token_rooms set admitted_through = 0"]),
    ("Q2", "one inside too many", &["update token_rooms set active_count = active_count + 1"]),
    ("Q3", "two places of one customer", &["update token_tokens set customer_id = room_id, state = 2"]),
    ("Q4", "a head beyond the last", &["update token_rooms set admitted_through = issued_count + 1"]),
    ("Q5", "a seat held past the line", &["update concert_reservations set queue_token = '' where queue_token <> ''"]),
    (
        "Q7",
        "drawn out of order",
        &["update token_tokens set shuffle_key = (select request_hash from token_saga_op order by saga_id limit 1)"],
    ),
    ("Q8", "a place that ended untold", &["delete from token_outbox where saga_id is not null"]),
    (
        "X9",
        "a place that another purchase ended",
        &["update token_tokens set saga_id = (select id from orchestrator_saga where kind = 'checkout' \
            and state = 'completed' order by id limit 1) where saga_id is not null"],
    ),
    (
        "X9",
        "a place that its purchase left",
        &["update token_tokens set state = 2, saga_id = null where saga_id is not null"],
    ),
    // The journal.
    ("J1", "a gap in the journal", &["delete from orchestrator_saga_event where version = 2"]),
    ("J2", "an epoch that goes back", &["update orchestrator_saga_event set epoch = 0 where version = 3"]),
    ("J3", "forward after compensating", &[FORWARD_AFTER_BACK]),
    ("J7", "sent forward by a saga that turned back", &[FORWARD_AFTER_BACK]),
    (
        "J7",
        "taken back in the wrong order",
        &["update orchestrator_saga_event set fact = replace(fact, '\"step\":0', '\"step\":2') \
            where kind = 'intended' and direction = 'compensation'"],
    ),
    (
        "J4",
        "a bulk operation that lost count",
        &[
            "insert into orchestrator_bulk select bucket, id, request_hash, '', '', '', cast(null as uuid), 0, 0, id, 1, 1, \
            0, 0, 0, cast(null as bigint), cast(null as bigint) from orchestrator_saga",
        ],
    ),
    (
        "J5",
        "a row that contradicts itself",
        &["update orchestrator_saga set state = 'completed' where state = 'compensated'"],
    ),
    (
        "J6",
        "something after the end",
        &["update orchestrator_saga set version = version + 1 where state = 'completed'"],
    ),
    (
        "J6",
        "an end that the history has not",
        &["delete from orchestrator_saga_event where fact like '{\"turned\":{\"to\":\"completed\"%'"],
    ),
    (
        "J8",
        "attempts that nobody wrote down",
        &[
            "update orchestrator_saga_event set fact = replace(fact, '\"attempt\":1', '\"attempt\":7') where kind = 'intended'",
        ],
    ),
    // The journal and the participants.
    (
        "W1",
        "an effect without an intent",
        &["delete from orchestrator_saga_event where kind = 'intended' and direction = 'forward' and step = 2"],
    ),
    ("W1", "an effect of nobody's epoch", &["update payment_saga_op set epoch = epoch + 9"]),
    ("W1", "an effect before its intent", &["update payment_saga_op set create_time = create_time - 60000"]),
    ("W1", "a step that its saga has not", &["update payment_saga_op set step = 'pay-twice' where state = 1"]),
    ("W2", "done, and refused over there", &["update payment_saga_op set state = 2 where state = 1"]),
    ("W2", "a compensation that never was", &["update customer_saga_op set state = 1 where state = 3"]),
    ("W2", "a lost result", &["delete from concert_saga_op where state = 1"]),
    ("W2", "a lost tombstone", &["delete from payment_saga_op where state = 4"]),
    // Sagas and their effects.
    (
        "X1",
        "bought and not paid",
        &[
            "update payment_payments set state = 2, captured_amount = 0, refunded_amount = 0, refunding_amount = 0 where state = 3",
        ],
    ),
    ("X2", "points kept of a failed checkout", &["update customer_point_reservations set state = 1 where state = 3"]),
    (
        "X3",
        "confirmed by a failed checkout",
        &[
            "update concert_reservations set confirm_saga_id = (select id from orchestrator_saga where kind = 'checkout' \
            and state = 'compensated' order by id limit 1) where state = 3",
        ],
    ),
    (
        "X4",
        "two sagas with one lock",
        &[
            "update orchestrator_saga set reference = (select reference from orchestrator_saga where state = 'suspended' \
            order by id limit 1) where state = 'suspended'",
        ],
    ),
    ("X1c", "a return without a refund", &["update payment_refunds set state = 3 where state = 2"]),
    ("X1c", "points credited twice", &["update customer_transfers set amount = amount * 2 where kind in (1, 3)"]),
    ("X2c", "a refund of a failed return", &["update payment_refunds set state = 2 where state = 3"]),
    ("X3c", "returned by nobody", &["update concert_reservations set state = 5 where state = 3"]),
    ("X5", "a saga that nobody drives", &[STUCK]),
    ("H7", "an accepted saga that nobody drives", &[STUCK]),
    (
        "X6",
        "word of a sale that failed",
        &["update payment_deliveries set saga_id = (select id from orchestrator_saga where kind = 'checkout' \
            and state = 'compensated' order by id limit 1) where event_type = 'ticketing.checkout.completed.v1'"],
    ),
    ("X7", "a lost saga", &["delete from orchestrator_saga where state = 'completed'"]),
    ("H6", "a lost saga that its customer was told of", &["delete from orchestrator_saga where state = 'completed'"]),
    ("X7", "a step of nobody's", &["update customer_saga_op set saga_id = aggregate_id"]),
    (
        "X8",
        "an end that nobody hears of",
        &["delete from orchestrator_outbox where type = 'ticketing.checkout.failed.v1'"],
    ),
    (
        "X8",
        "an end told twice",
        &["insert into orchestrator_outbox select bucket, saga_id, aggregate, type, saga_id, data, create_time, \
            publish_time, partition_key, version from orchestrator_outbox where type = 'ticketing.checkout.completed.v1'"],
    ),
    (
        "X8c",
        "a failure told as a sale",
        &["update orchestrator_outbox set type = 'ticketing.checkout.completed.v1' \
            where type = 'ticketing.checkout.failed.v1'"],
    ),
    ("X8d", "parked in silence", &["delete from orchestrator_outbox where type = 'ticketing.saga.suspended.v1'"]),
    ("H4", "a write that was lost", &["update orchestrator_saga set version = version - 1 where state = 'completed'"]),
];

/// A saga that turned back goes on forward at its last version.
const FORWARD_AFTER_BACK: &str = "insert into orchestrator_saga_event select e.bucket, e.saga_id, s.version, 90, e.epoch, \
    e.create_time, e.kind, e.step, e.direction, e.attempt, e.outcome, e.reason, e.fact from orchestrator_saga_event e \
    join orchestrator_saga s on s.id = e.saga_id where s.state = 'compensated' and e.kind = 'intended' \
    and e.direction = 'forward' and e.version = 1";

/// A saga that had completed is open again, and nobody will ever look after it.
const STUCK: &str = "update orchestrator_saga set state = 'completing', end_time = null, \
    machine = replace(machine, '\"state\":\"completed\"', '\"state\":\"completing\"') where state = 'completed'";
