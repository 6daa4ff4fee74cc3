-- The sweeper's; state 1 is HELD.
create index concert_reservations_held on concert_reservations (expire_time) where state = 1;
