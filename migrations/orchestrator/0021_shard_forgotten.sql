-- Sagas that were accepted before it may be forgotten.
alter table orchestrator_shard add column forgotten_before bigint not null default 0;
