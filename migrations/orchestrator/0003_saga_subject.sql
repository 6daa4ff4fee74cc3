create index orchestrator_saga_subject on orchestrator_saga (subject, create_time, id);
