-- The runs of the orchestrator that live. A saga whose owner is not among them may be adopted.
create table orchestrator_incarnation (
    id uuid not null primary key,
    create_time bigint not null
);
