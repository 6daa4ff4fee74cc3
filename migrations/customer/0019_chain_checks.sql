-- How far each customer's chain has been followed, and what was found there.
create table customer_chain_checks (
    customer_id uuid not null primary key,
    sequence bigint not null,
    balance bigint not null,
    hash bytea,
    check_time bigint not null
);
