create index concert_performances_of_concert on concert_performances (concert_id, start_time, performance_id);
