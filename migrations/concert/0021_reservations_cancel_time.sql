alter table concert_reservations add column cancel_time bigint;
