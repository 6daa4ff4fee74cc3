-- Each change of a reservation, written with it: the version is the one that it led to.
create table concert_reservation_transitions (
    reservation_id uuid not null,
    version bigint not null,
    -- Null of the first.
    from_state bigint,
    to_state bigint not null,
    actor text not null,
    request_id uuid,
    saga_id uuid,
    reason text not null,
    create_time bigint not null,
    primary key (reservation_id, version)
);
