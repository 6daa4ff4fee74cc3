-- Answers are forgotten by their age.
create index payment_idempotency_time on payment_idempotency (create_time, request_id);
