-- At most one refund a saga: its id is the saga's.
create table payment_refunds (
    saga_id uuid not null primary key,
    payment_id uuid not null,
    amount bigint not null check (amount > 0),
    reason text not null,
    state bigint not null check (state between 1 and 4),
    create_time bigint not null,
    complete_time bigint
);
