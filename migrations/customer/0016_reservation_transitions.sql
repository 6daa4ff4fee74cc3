-- The same of what a saga has set aside, keyed like that: made, and then captured or released.
create table customer_reservation_transitions (
    saga_id uuid not null,
    version bigint not null,
    customer_id uuid not null,
    from_state text not null,
    to_state text not null,
    actor text not null,
    request_id uuid,
    reason text not null,
    create_time bigint not null,
    primary key (saga_id, version)
);
