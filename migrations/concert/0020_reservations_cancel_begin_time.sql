alter table concert_reservations add column cancel_begin_time bigint;
