create table payment_idempotency (
    request_id uuid not null primary key,
    method text not null,
    request_hash bytea not null,
    response bytea not null,
    create_time bigint not null
);
