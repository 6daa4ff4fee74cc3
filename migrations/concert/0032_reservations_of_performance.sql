-- What of a performance is held or sold: holds to end and reservations to give back when it is cancelled.
create index concert_reservations_of_performance on concert_reservations (performance_id, reservation_id)
where state in (1, 2, 3);
