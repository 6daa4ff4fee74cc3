-- One event on its way to one channel. Its id follows from the event's source and id and the channel, so there is one.
create table payment_deliveries (
    id uuid not null primary key,
    event_source text not null,
    event_id uuid not null,
    event_type text not null,
    channel bigint not null check (channel between 1 and 3),
    state bigint not null check (state between 1 and 5),
    saga_id uuid,
    customer_id uuid,
    payload bytea not null,
    attempt_count bigint not null,
    version bigint not null,
    last_error text not null,
    next_attempt_time bigint,
    accept_time bigint,
    expire_time bigint not null,
    create_time bigint not null,
    end_time bigint,
    check ((next_attempt_time is null) = (end_time is not null))
);
