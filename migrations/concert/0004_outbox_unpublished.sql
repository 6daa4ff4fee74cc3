create index concert_outbox_unpublished on concert_outbox (create_time, id) where publish_time is null;
