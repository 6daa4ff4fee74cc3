create table concert_tickets (
    reservation_id uuid not null,
    ticket_id uuid not null,
    seat_id text collate "binary" not null,
    seat_label text not null,
    concert_title text not null,
    artist text not null,
    performance_start_time bigint not null,
    price bigint not null,
    state bigint not null check (state between 1 and 3),
    issue_time bigint not null,
    primary key (reservation_id, ticket_id)
);
