create table token_signing_keys (
    kid text collate "binary" not null primary key,
    secret bytea not null,
    create_time bigint not null
);
