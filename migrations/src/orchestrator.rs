//! Tables of the orchestrator service.

use service_kit::db::Migration;

/// Its steps, in order.
pub const MIGRATIONS: &[Migration] = super::steps![
    "orchestrator":
    "0001_saga",
    "0002_saga_newest",
    "0003_saga_subject",
    "0004_saga_reference",
    "0005_saga_open",
    "0006_saga_owner",
    "0007_saga_event",
    "0008_incarnation",
    "0009_outbox",
    "0010_outbox_unpublished",
    "0011_bulk",
    "0012_bulk_newest",
    "0013_bulk_open",
    "0014_bulk_item",
    "0015_bulk_item_pending",
    "0016_shard",
    "0017_outbox_partition",
    "0018_outbox_version",
    "0019_saga_archive",
    "0020_saga_ended",
    "0021_shard_forgotten",
];
