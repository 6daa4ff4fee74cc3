create index token_tokens_inside on token_tokens (room_id, sequence) where state = 2;
