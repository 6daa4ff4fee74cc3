-- Those that will be over; state 1 is SCHEDULED.
create index concert_performances_scheduled on concert_performances (start_time) where state = 1;
