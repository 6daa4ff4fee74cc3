alter table customer_customers add column withdraw_time bigint;
