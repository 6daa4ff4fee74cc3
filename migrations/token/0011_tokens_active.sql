create index token_tokens_active on token_tokens (room_id, expire_time) where state = 2;
