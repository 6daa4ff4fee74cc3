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
