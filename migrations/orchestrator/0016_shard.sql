-- The buckets that this database was given; one row. Sagas are looked for where their bucket lies, so this never changes.
create table orchestrator_shard (
    id bigint not null primary key check (id = 1),
    first_bucket bigint not null,
    last_bucket bigint not null
);
