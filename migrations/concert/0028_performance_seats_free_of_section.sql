-- The same within a section.
create index concert_performance_seats_free_of_section
    on concert_performance_seats (performance_id, section collate "binary", ordinal) where state = 1;
