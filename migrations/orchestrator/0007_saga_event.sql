-- What happened, for people: nothing is decided from it.
create table orchestrator_saga_event (
    bucket bigint not null,
    saga_id uuid not null,
    version bigint not null,
    position bigint not null,
    epoch bigint not null,
    create_time bigint not null,
    kind text not null,
    step bigint,
    direction text,
    attempt bigint,
    outcome text,
    reason text,
    fact text not null,
    primary key (bucket, saga_id, version, position)
);
