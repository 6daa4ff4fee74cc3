create index orchestrator_saga_owner on orchestrator_saga (owner, id) where end_time is null;
