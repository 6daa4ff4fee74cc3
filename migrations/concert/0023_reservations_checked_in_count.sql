-- Tickets that have opened the door: so that this row decides between a check-in and a cancellation.
alter table concert_reservations add column checked_in_count bigint not null default 0;
