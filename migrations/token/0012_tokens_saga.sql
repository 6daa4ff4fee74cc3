create index token_tokens_saga on token_tokens (saga_id) where saga_id is not null;
