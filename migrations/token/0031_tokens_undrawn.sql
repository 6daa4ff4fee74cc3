create index token_tokens_undrawn on token_tokens (room_id, shuffle_key) where sequence < 0;
