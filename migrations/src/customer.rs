//! Tables of the customer service.

use service_kit::db::Migration;

/// Its steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "customer":
    "0001_saga_op",
    "0002_idempotency",
    "0003_outbox",
    "0004_outbox_unpublished",
    "0005_customers",
    "0006_point_reservations",
    "0007_transfers",
    "0008_transfers_request",
    "0009_outbox_partition",
    "0010_outbox_version",
    "0011_transfers_saga",
    "0012_transfers_hash",
    "0013_transfers_kept",
    "0014_customers_withdraw_time",
    "0015_transitions",
    "0016_reservation_transitions",
    "0017_transfers_create_time",
    "0018_point_reservations_pending",
    "0019_chain_checks",
    "0020_account_totals",
    "0021_ledger_findings",
    "0022_jobs",
    "0023_saga_op_saga",
    "0024_archived_sagas",
    "0025_archived_sagas_time",
    "0026_idempotency_time",
    "0027_customers_state",
];
