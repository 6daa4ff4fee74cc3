-- Deliveries that an operator has had tried again, and why.
create table payment_delivery_retries (
    delivery_id uuid not null,
    version bigint not null,
    from_state bigint not null,
    reason text not null,
    create_time bigint not null,
    primary key (delivery_id, version)
);
