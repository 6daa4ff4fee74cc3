create index orchestrator_saga_reference on orchestrator_saga (reference, create_time, id);
