//! Tables of the token service.

use service_kit::db::Migration;

/// Its steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "token":
    "0001_saga_op",
    "0002_idempotency",
    "0003_outbox",
    "0004_outbox_unpublished",
    "0005_rooms",
    "0006_rooms_unsettled",
    "0007_turns",
    "0008_tokens",
    "0009_tokens_live",
    "0010_tokens_waiting",
    "0011_tokens_active",
    "0012_tokens_saga",
    "0013_signing_keys",
    "0014_signing_keys_generation",
    "0015_signing_keys_one",
    "0016_outbox_partition",
    "0017_outbox_version",
];
