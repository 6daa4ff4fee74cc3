-- Whoever orders changes his row first: so his orders in a concert wait for each other, and his caps hold.
create table concert_buyers (
    concert_id uuid not null,
    customer_id uuid not null,
    order_count bigint not null,
    primary key (concert_id, customer_id)
);
