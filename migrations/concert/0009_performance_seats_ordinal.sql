create unique index concert_performance_seats_ordinal on concert_performance_seats (performance_id, ordinal);
