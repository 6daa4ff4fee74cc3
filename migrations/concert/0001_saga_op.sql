create table concert_saga_op (
    aggregate_id uuid not null,
    saga_id uuid not null,
    step text collate "binary" not null,
    state bigint not null check (state between 1 and 5),
    request_hash bytea not null,
    reply bytea,
    epoch bigint not null,
    create_time bigint not null,
    primary key (aggregate_id, saga_id, step)
);
