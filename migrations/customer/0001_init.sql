create table customer_saga_op (
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

create table customer_idempotency (
    request_id uuid not null primary key,
    method text not null,
    request_hash bytea not null,
    response bytea not null,
    create_time bigint not null
);

create table customer_outbox (
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

create index customer_outbox_unpublished on customer_outbox (create_time, id) where publish_time is null;

create table customer_customers (
    customer_id uuid not null primary key,
    state bigint not null check (state between 1 and 3),
    display_name text not null,
    phone_number text not null,
    notification_consent bigint not null check (notification_consent in (0, 1)),
    version bigint not null,
    create_time bigint not null,
    update_time bigint not null,
    posted bigint not null check (posted >= 0),
    reserved bigint not null check (reserved >= 0),
    transfer_count bigint not null check (transfer_count >= 0),
    points_time bigint not null,
    check (posted >= reserved)
);

-- Keyed by the saga, which reserves once. Sagas sort by time, so new rows go to the end of the tree.
create table customer_point_reservations (
    saga_id uuid not null primary key,
    customer_id uuid not null,
    amount bigint not null check (amount > 0),
    state bigint not null check (state between 1 and 3),
    create_time bigint not null,
    resolve_time bigint
);

-- The ledger: rows are added, never changed. A customer's entries count up from 1 without a gap.
create table customer_transfers (
    customer_id uuid not null,
    sequence bigint not null check (sequence > 0),
    transfer_id uuid not null,
    kind bigint not null check (kind between 1 and 6),
    amount bigint not null check (amount > 0),
    debit_account text not null,
    credit_account text not null check (credit_account <> debit_account),
    balance_after bigint not null check (balance_after >= 0),
    saga_id uuid,
    request_id uuid not null,
    reason text not null,
    create_time bigint not null,
    primary key (customer_id, sequence)
);

-- A person's request counts once, even when its kept answer is long forgotten. A saga's counts once by its reservation.
create unique index customer_transfers_request on customer_transfers (customer_id, request_id) where saga_id is null;
