-- Dead letters: events that a sink will not take, until a person has seen to them.
create table event_dead (
    source text collate "binary" not null,
    sink text collate "binary" not null,
    id uuid not null,
    aggregate text not null,
    version bigint not null,
    bucket bigint not null,
    type text not null,
    saga_id uuid,
    data bytea not null,
    create_time bigint not null,
    partition_key text not null,
    attempts bigint not null,
    dead_time bigint not null,
    last_error text not null,
    primary key (source, sink, id)
);
