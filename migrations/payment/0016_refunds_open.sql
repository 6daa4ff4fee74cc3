-- PENDING ones, which their sagas have not let go.
create index payment_refunds_open on payment_refunds (create_time, saga_id) where state = 1;
