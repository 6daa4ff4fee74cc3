-- Answers are forgotten by their age.
create index customer_idempotency_time on customer_idempotency (create_time, request_id);
