-- Likewise.
alter table concert_concerts add column top_seats_per_customer bigint not null default 0;
