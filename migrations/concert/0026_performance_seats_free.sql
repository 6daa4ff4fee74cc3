-- The first seats that are free, however many before them are sold; state 1 is AVAILABLE.
create index concert_performance_seats_free on concert_performance_seats (performance_id, ordinal) where state = 1;
