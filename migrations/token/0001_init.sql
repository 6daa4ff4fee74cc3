create table token_saga_op (
    aggregate_id uuid not null,
    saga_id uuid not null,
    step text not null,
    state bigint not null check (state between 1 and 5),
    request_hash bytea not null,
    reply bytea,
    epoch bigint not null,
    create_time bigint not null,
    primary key (aggregate_id, saga_id, step)
);

create table token_idempotency (
    request_id uuid not null primary key,
    method text not null,
    request_hash bytea not null,
    response bytea not null,
    create_time bigint not null
);

create table token_outbox (
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

create index token_outbox_unpublished on token_outbox (create_time, id) where publish_time is null;
