create table payment_saga_op (
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

create table payment_idempotency (
    request_id uuid not null primary key,
    method text not null,
    request_hash bytea not null,
    response bytea not null,
    create_time bigint not null
);

create table payment_outbox (
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

create index payment_outbox_unpublished on payment_outbox (create_time, id) where publish_time is null;

-- At most one payment a saga: its id is the saga's.
create table payment_payments (
    saga_id uuid not null primary key,
    customer_id uuid not null,
    purpose bigint not null check (purpose between 1 and 2),
    reference text not null,
    method bigint not null check (method between 1 and 3),
    state bigint not null check (state between 1 and 5),
    authorized_amount bigint not null check (authorized_amount > 0),
    captured_amount bigint not null check (captured_amount in (0, authorized_amount)),
    create_time bigint not null,
    authorize_time bigint,
    capture_time bigint,
    cancel_time bigint,
    cancel_reason text not null
);

-- At most one live payment a reference: PENDING, AUTHORIZED or CAPTURED.
create unique index payment_payments_live on payment_payments (reference) where state in (1, 2, 3);
