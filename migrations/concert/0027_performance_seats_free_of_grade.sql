-- The same within a grade.
create index concert_performance_seats_free_of_grade
    on concert_performance_seats (performance_id, grade collate "binary", ordinal) where state = 1;
