-- What is kept of the total, from the beginning of a cancellation on.
alter table concert_reservations add column cancellation_fee bigint not null default 0;
