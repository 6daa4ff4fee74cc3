-- Who is in one state. States change seldom, and points that move do not touch it.
create index customer_customers_state on customer_customers (state, customer_id);
