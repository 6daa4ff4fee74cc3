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

-- A room's state follows from its times and `paused`. waiting_count: WAITING beyond the head. active_count: ACTIVE, and
-- WAITING up to the head. Times and lengths in milliseconds, admission_credit in millionths of an admission.
create table token_rooms (
    room_id uuid not null primary key,
    prequeue_open_time bigint,
    open_time bigint not null,
    close_time bigint,
    max_active_tokens bigint not null check (max_active_tokens > 0),
    admissions_per_1000_s bigint not null check (admissions_per_1000_s > 0),
    active_ttl bigint not null,
    claim_ttl bigint not null,
    max_active_lifetime bigint not null,
    max_waiting bigint not null,
    paused bigint not null check (paused in (0, 1)),
    issued_count bigint not null,
    admitted_through bigint not null check (admitted_through between 0 and issued_count),
    waiting_count bigint not null check (waiting_count >= 0),
    active_count bigint not null check (active_count >= 0),
    admission_credit bigint not null,
    tick_time bigint not null,
    admit_time bigint,
    version bigint not null,
    create_time bigint not null,
    update_time bigint not null,
    settled bigint not null check (settled in (0, 1))
);

create index token_rooms_unsettled on token_rooms (room_id) where settled = 0;

-- When the head came to a sequence; gone once all turns up to it are claimed or given back.
create table token_turns (
    room_id uuid not null,
    through_sequence bigint not null,
    admit_time bigint not null,
    primary key (room_id, through_sequence)
);

create table token_tokens (
    room_id uuid not null,
    token_id uuid not null,
    customer_id uuid not null,
    sequence bigint not null,
    state bigint not null check (state between 1 and 6),
    create_time bigint not null,
    activate_time bigint,
    expire_time bigint,
    end_time bigint,
    saga_id uuid,
    reason text,
    primary key (room_id, token_id)
);

create unique index token_tokens_live on token_tokens (room_id, customer_id) where state <= 2;

create unique index token_tokens_waiting on token_tokens (room_id, sequence) where state = 1;

create index token_tokens_active on token_tokens (room_id, expire_time) where state = 2;

create index token_tokens_saga on token_tokens (saga_id) where saga_id is not null;

create table token_signing_keys (
    kid text not null primary key,
    secret bytea not null,
    create_time bigint not null
);
