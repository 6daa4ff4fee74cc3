-- One row for each aggregate with events in the queue: when its first one is offered again, and what became of it so far.
create table event_held (
    source text collate "binary" not null,
    sink text collate "binary" not null,
    aggregate text collate "binary" not null,
    attempts bigint not null,
    due_time bigint not null,
    held_time bigint not null,
    last_error text not null,
    primary key (source, sink, aggregate)
);
