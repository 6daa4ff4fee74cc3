-- How far a consumer is in a partition of a broker that does not remember it.
create table event_offset (
    consumer text collate "binary" not null,
    topic text collate "binary" not null,
    part bigint not null,
    next_offset bigint not null,
    update_time bigint not null,
    primary key (consumer, topic, part)
);
