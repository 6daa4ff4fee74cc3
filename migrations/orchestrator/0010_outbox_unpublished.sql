create index orchestrator_outbox_unpublished on orchestrator_outbox (create_time, id) where publish_time is null;
