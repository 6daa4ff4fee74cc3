-- What one process does at a time, by the database's clock. Whoever writes down how far it is locks its row.
create table event_lease (
    name text collate "binary" not null,
    holder uuid not null,
    until_time bigint not null,
    primary key (name)
);
