-- Waiting rooms that have been told that nothing is left; gone once they are told that something is for sale again.
create table concert_rooms_sold_out (
    room_id uuid not null primary key,
    create_time bigint not null
);
