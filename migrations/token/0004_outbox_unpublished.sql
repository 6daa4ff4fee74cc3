create index token_outbox_unpublished on token_outbox (create_time, id) where publish_time is null;
