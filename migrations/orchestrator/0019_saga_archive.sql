alter table orchestrator_saga add column archive_time bigint;
