-- What sagas have set aside, the oldest first: few rows, however many there have been.
create index customer_point_reservations_pending on customer_point_reservations (create_time, saga_id) where state = 1;
