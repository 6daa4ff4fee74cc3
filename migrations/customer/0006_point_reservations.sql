-- Keyed by the saga, which reserves once. Sagas sort by time, so new rows go to the end of the tree.
create table customer_point_reservations (
    saga_id uuid not null primary key,
    customer_id uuid not null,
    amount bigint not null check (amount > 0),
    state bigint not null check (state between 1 and 3),
    create_time bigint not null,
    resolve_time bigint
);
