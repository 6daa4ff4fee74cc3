-- The sagas that a bulk operation has found, written before the verb is applied to any of them, and what became of it.
create table orchestrator_bulk_item (
    bucket bigint not null,
    bulk_id uuid not null,
    saga_id uuid not null,
    saga_version bigint not null,
    state text not null,
    status bytea,
    update_time bigint not null,
    primary key (bucket, bulk_id, saga_id)
);
