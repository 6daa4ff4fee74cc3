create unique index token_tokens_waiting on token_tokens (room_id, sequence) where state = 1;
