create index customer_outbox_unpublished on customer_outbox (create_time, id) where publish_time is null;
