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
    "0018_rooms_ordering",
    "0019_rooms_shuffle_seed",
    "0020_rooms_prequeued",
    "0021_rooms_drawn",
    "0022_rooms_sold_out",
    "0023_rooms_line_generation",
    "0024_rooms_tick_owner",
    "0025_rooms_lease_time",
    "0026_rooms_event_count",
    "0027_rooms_announced",
    "0028_rooms_purged",
    "0029_rooms_unpurged",
    "0030_tokens_shuffle_key",
    "0031_tokens_undrawn",
    "0032_tokens_inside",
    "0033_audit",
];
