create index orchestrator_saga_newest on orchestrator_saga (create_time, id);
