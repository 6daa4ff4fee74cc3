-- One row per saga: what decisions read. Every key starts with the bucket, by which a distributed engine spreads the rows.
-- No decision reads step, reason and what is held: they are for counts over the open sagas. No index names them, so that a
-- write of a saga touches none.
create table orchestrator_saga (
    bucket bigint not null,
    id uuid not null,
    kind text not null,
    plan_version bigint not null,
    state text not null,
    version bigint not null,
    epoch bigint not null,
    owner uuid not null,
    subject text collate "binary" not null,
    reference text collate "binary" not null,
    create_time bigint not null,
    update_time bigint not null,
    due_time bigint,
    end_time bigint,
    problem text,
    step text not null,
    reason text not null,
    held_amount bigint not null,
    held_seats bigint not null,
    request_hash bytea not null,
    input bytea not null,
    machine text not null,
    primary key (bucket, id)
);
