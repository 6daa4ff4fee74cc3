-- Answers are forgotten by their age.
create index concert_idempotency_time on concert_idempotency (create_time, request_id);
