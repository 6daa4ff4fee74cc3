-- To find what is kept about an archived saga. Sagas sort by time, so new rows go to the end of the tree.
create index concert_saga_op_saga on concert_saga_op (saga_id);
