-- PENDING and AUTHORIZED ones, which their sagas have not let go.
create index payment_payments_open on payment_payments (create_time, saga_id) where state in (1, 2);
