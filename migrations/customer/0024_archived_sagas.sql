-- Sagas that the orchestrator has archived: what is kept about their steps is forgotten after a while.
create table customer_archived_sagas (
    saga_id uuid not null primary key,
    archive_time bigint not null
);
