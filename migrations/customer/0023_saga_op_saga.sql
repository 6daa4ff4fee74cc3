-- To find what is kept about an archived saga. Sagas sort by time, so new rows go to the end of the tree.
create index customer_saga_op_saga on customer_saga_op (saga_id);
