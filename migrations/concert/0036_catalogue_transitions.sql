-- Changes of state of concerts and performances, each written with it: the version is the one that it led to.
create table concert_catalogue_transitions (
    aggregate_id uuid not null,
    version bigint not null,
    from_state bigint not null,
    to_state bigint not null,
    request_id uuid,
    reason text not null,
    create_time bigint not null,
    primary key (aggregate_id, version)
);
