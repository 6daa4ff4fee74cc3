create table customer_customers (
    customer_id uuid not null primary key,
    state bigint not null check (state between 1 and 3),
    display_name text not null,
    phone_number text not null,
    notification_consent bigint not null check (notification_consent in (0, 1)),
    version bigint not null,
    create_time bigint not null,
    update_time bigint not null,
    posted bigint not null check (posted >= 0),
    reserved bigint not null check (reserved >= 0),
    transfer_count bigint not null check (transfer_count >= 0),
    points_time bigint not null,
    check (posted >= reserved)
);
