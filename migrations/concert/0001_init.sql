create table concert_saga_op (
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

create table concert_idempotency (
    request_id uuid not null primary key,
    method text not null,
    request_hash bytea not null,
    response bytea not null,
    create_time bigint not null
);

create table concert_outbox (
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

create index concert_outbox_unpublished on concert_outbox (create_time, id) where publish_time is null;

create table concert_concerts (
    concert_id uuid not null primary key,
    title text not null,
    artist text not null,
    booking_open_time bigint not null,
    booking_close_time bigint not null check (booking_close_time > booking_open_time),
    state bigint not null check (state between 1 and 4),
    waiting_room_id uuid,
    -- Milliseconds.
    hold_ttl bigint not null,
    max_hold_lifetime bigint not null check (max_hold_lifetime >= hold_ttl),
    retry_grace bigint not null,
    max_seats_per_reservation bigint not null,
    max_live_reservations_per_customer bigint not null,
    max_seats_per_customer bigint not null,
    create_time bigint not null,
    update_time bigint not null,
    version bigint not null
);

create table concert_performances (
    performance_id uuid not null primary key,
    concert_id uuid not null references concert_concerts (concert_id),
    start_time bigint not null,
    venue text not null,
    state bigint not null check (state between 1 and 3),
    seat_count bigint not null,
    create_time bigint not null,
    version bigint not null
);

create index concert_performances_of_concert on concert_performances (concert_id, start_time, performance_id);

-- One row a seat: whose it is, is decided by conditional updates of this row.
create table concert_performance_seats (
    performance_id uuid not null,
    seat_id text not null,
    ordinal bigint not null,
    section text not null,
    row_name text not null,
    number text not null,
    grade text not null,
    price bigint not null check (price >= 0),
    state bigint not null check (state between 1 and 4),
    reservation_id uuid,
    -- When a hold lapses; null while nobody holds it and while a checkout has locked it.
    hold_expire_time bigint,
    -- Counts the changes of state: the sum over a performance is the version of its seat map.
    version bigint not null,
    primary key (performance_id, seat_id),
    check ((state in (2, 3)) = (reservation_id is not null))
);

create unique index concert_performance_seats_ordinal on concert_performance_seats (performance_id, ordinal);

create table concert_reservations (
    reservation_id uuid not null primary key,
    customer_id uuid not null,
    concert_id uuid not null,
    performance_id uuid not null,
    state bigint not null check (state between 1 and 7),
    -- JSON: seat, grade, price and label of each, as they were when held.
    items text not null,
    seat_count bigint not null,
    total_amount bigint not null,
    -- Kept while locked: an unlocked hold has at least what it had.
    expire_time bigint not null,
    lock_saga_id uuid,
    lock_time bigint,
    confirm_saga_id uuid,
    confirm_time bigint,
    payment_id uuid,
    create_time bigint not null,
    version bigint not null,
    check ((state in (2, 4)) = (lock_saga_id is not null))
);

-- The caps of a customer.
create index concert_reservations_of_customer on concert_reservations (customer_id, concert_id);

-- The sweeper's; state 1 is HELD.
create index concert_reservations_held on concert_reservations (expire_time) where state = 1;

create table concert_tickets (
    reservation_id uuid not null,
    ticket_id uuid not null,
    seat_id text not null,
    seat_label text not null,
    concert_title text not null,
    artist text not null,
    performance_start_time bigint not null,
    price bigint not null,
    state bigint not null check (state between 1 and 3),
    issue_time bigint not null,
    primary key (reservation_id, ticket_id)
);
