-- At most one payment a saga: its id is the saga's.
create table payment_payments (
    saga_id uuid not null primary key,
    customer_id uuid not null,
    purpose bigint not null check (purpose between 1 and 2),
    reference text collate "binary" not null,
    method bigint not null check (method between 1 and 3),
    state bigint not null check (state between 1 and 5),
    authorized_amount bigint not null check (authorized_amount > 0),
    captured_amount bigint not null check (captured_amount in (0, authorized_amount)),
    create_time bigint not null,
    authorize_time bigint,
    capture_time bigint,
    cancel_time bigint,
    cancel_reason text not null
);
