-- Whose chains have grown lately. Entries come at the end of the tree.
create index customer_transfers_create_time on customer_transfers (create_time, customer_id);
