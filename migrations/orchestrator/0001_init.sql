-- One row per saga: what decisions read. Every key starts with the bucket, by which a distributed engine spreads the rows.
create table orchestrator_saga (
    bucket bigint not null,
    id uuid not null,
    kind text not null,
    plan_version bigint not null,
    state text not null,
    version bigint not null,
    epoch bigint not null,
    owner uuid not null,
    subject text not null,
    reference text not null,
    create_time bigint not null,
    update_time bigint not null,
    due_time bigint,
    end_time bigint,
    problem text,
    request_hash bytea not null,
    input bytea not null,
    machine text not null,
    primary key (bucket, id)
);

create index orchestrator_saga_newest on orchestrator_saga (create_time, id);

create index orchestrator_saga_subject on orchestrator_saga (subject, create_time, id);

create index orchestrator_saga_reference on orchestrator_saga (reference, create_time, id);

-- The two indexes of open sagas stay as small as what is under way. None of their columns changes while a saga goes on:
-- it enters them when it is accepted and leaves them when it ends.
create index orchestrator_saga_open on orchestrator_saga (create_time, id) where end_time is null;

create index orchestrator_saga_owner on orchestrator_saga (owner, id) where end_time is null;

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

-- The runs of the orchestrator that live. A saga whose owner is not among them may be adopted.
create table orchestrator_incarnation (
    id uuid not null primary key,
    create_time bigint not null
);

create table orchestrator_outbox (
    bucket bigint not null,
    id uuid not null,
    aggregate text not null,
    type text not null,
    saga_id uuid,
    data bytea not null,
    create_time bigint not null,
    publish_time bigint,
    primary key (bucket, id)
);

create index orchestrator_outbox_unpublished on orchestrator_outbox (create_time, id) where publish_time is null;
