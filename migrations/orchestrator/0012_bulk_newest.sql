create index orchestrator_bulk_newest on orchestrator_bulk (create_time, id);
