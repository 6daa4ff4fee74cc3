create index orchestrator_bulk_open on orchestrator_bulk (create_time, id) where end_time is null;
