//! Tables of the payment service.

use service_kit::db::Migration;

/// Its steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "payment":
    "0001_saga_op",
    "0002_idempotency",
    "0003_outbox",
    "0004_outbox_unpublished",
    "0005_payments",
    "0006_payments_live",
    "0007_outbox_partition",
    "0008_outbox_version",
];
