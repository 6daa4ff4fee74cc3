-- Work that one process does at a time: when it is due, and how far it has come.
create table customer_jobs (
    job text collate "binary" not null primary key,
    due_time bigint not null,
    cursor_time bigint not null,
    cursor_id uuid not null
);
