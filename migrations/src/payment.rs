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
    "0009_payments_version",
    "0010_payments_refunded",
    "0011_payments_refunding",
    "0012_refunds",
    "0013_refunds_of",
    "0014_transitions",
    "0015_payments_open",
    "0016_refunds_open",
    "0017_saga_op_saga",
    "0018_archived_sagas",
    "0019_archived_sagas_time",
    "0020_idempotency_time",
];
