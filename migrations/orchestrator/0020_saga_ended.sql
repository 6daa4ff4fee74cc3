-- Those that wait to be archived.
create index orchestrator_saga_ended on orchestrator_saga (end_time, id) where end_time is not null and archive_time is null;
