-- Answers are forgotten by their age.
create index token_idempotency_time on token_idempotency (create_time, request_id);
