create table token_outbox (
    bucket bigint not null,
    id uuid not null,
    aggregate text not null,
    type text not null,
    saga_id uuid,
    data bytea not null,
    create_time bigint not null,
    publish_time bigint,
    primary key (bucket, id)
);
