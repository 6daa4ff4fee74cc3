-- The runs of the orchestrator. One lives until its lease runs out; a saga whose owner lives no more may be adopted.
create table orchestrator_incarnation (
    id uuid not null primary key,
    create_time bigint not null,
    expire_time bigint not null
);
