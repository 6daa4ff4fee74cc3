//! Tables of the concert service.

use service_kit::db::Migration;

/// Its steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "concert":
    "0001_saga_op",
    "0002_idempotency",
    "0003_outbox",
    "0004_outbox_unpublished",
    "0005_concerts",
    "0006_performances",
    "0007_performances_of_concert",
    "0008_performance_seats",
    "0009_performance_seats_ordinal",
    "0010_reservations",
    "0011_reservations_of_customer",
    "0012_reservations_held",
    "0013_tickets",
    "0014_buyers",
    "0015_outbox_partition",
    "0016_outbox_version",
    "0017_concerts_cancellation_terms",
    "0018_reservations_cancellation_terms",
    "0019_reservations_cancel_saga",
    "0020_reservations_cancel_begin_time",
    "0021_reservations_cancel_time",
    "0022_reservations_cancellation_fee",
    "0023_reservations_checked_in_count",
    "0024_reservation_transitions",
    "0025_performance_seats_held_price",
    "0026_performance_seats_free",
    "0027_performance_seats_free_of_grade",
    "0028_performance_seats_free_of_section",
    "0029_performances_scheduled",
    "0030_concerts_top_live_reservations",
    "0031_concerts_top_seats",
];
