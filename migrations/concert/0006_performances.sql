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
