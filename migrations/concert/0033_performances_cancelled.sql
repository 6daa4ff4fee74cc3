create index concert_performances_cancelled on concert_performances (performance_id) where state = 2;
