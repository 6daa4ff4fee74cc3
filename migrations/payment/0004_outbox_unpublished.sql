create index payment_outbox_unpublished on payment_outbox (create_time, id) where publish_time is null;
