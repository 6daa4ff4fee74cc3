-- Events that a sink has not taken while others may have; with all that is in them, as the outbox has let go of them.
create table event_queue (
    source text collate "binary" not null,
    sink text collate "binary" not null,
    aggregate text collate "binary" not null,
    version bigint not null,
    id uuid not null,
    bucket bigint not null,
    type text not null,
    saga_id uuid,
    data bytea not null,
    create_time bigint not null,
    partition_key text not null,
    primary key (source, sink, aggregate, version, id)
);
