-- What became of payments and their refunds, by whom and why; one row a version of the payment. States are names, and
-- the first one comes from none.
create table payment_transitions (
    payment_id uuid not null,
    version bigint not null,
    refund_id uuid,
    from_state text not null,
    to_state text not null,
    actor text not null,
    request_id uuid,
    saga_id uuid not null,
    reason text not null,
    create_time bigint not null,
    primary key (payment_id, version)
);
