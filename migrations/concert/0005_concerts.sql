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
