-- One row a seat: whose it is, is decided by conditional updates of this row.
create table concert_performance_seats (
    performance_id uuid not null,
    seat_id text collate "binary" not null,
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
