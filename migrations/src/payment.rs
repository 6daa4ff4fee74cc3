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
    "0017_payments_last_four",
    "0018_payments_token",
    "0019_payments_processor_reference",
    "0020_payments_failure_reason",
    "0021_payments_authorize_step",
    "0022_payments_capture_step",
    "0023_refunds_complete_step",
    "0024_errands",
    "0025_errands_due",
    "0026_deliveries",
    "0027_deliveries_due",
    "0028_deliveries_ended",
    "0029_deliveries_dead",
    "0030_saga_op_saga",
    "0031_archived_sagas",
    "0032_archived_sagas_time",
    "0033_idempotency_time",
    "0034_delivery_retries",
];
