-- What became of customers, by whom and why; one row a version of the customer that changed his state. States are names, and
-- the first one comes from none.
create table customer_transitions (
    customer_id uuid not null,
    version bigint not null,
    from_state text not null,
    to_state text not null,
    actor text not null,
    request_id uuid,
    saga_id uuid,
    reason text not null,
    create_time bigint not null,
    primary key (customer_id, version)
);
