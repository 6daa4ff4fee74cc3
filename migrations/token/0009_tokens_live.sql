create unique index token_tokens_live on token_tokens (room_id, customer_id) where state <= 2;
