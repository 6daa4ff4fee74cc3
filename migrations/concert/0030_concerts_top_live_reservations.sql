-- The highest cap that there was before the one that holds now: who has more than the cap took it under that one.
alter table concert_concerts add column top_live_reservations_per_customer bigint not null default 0;
