-- Chains the entry to the one before it. An entry from before there were chains has none.
alter table customer_transfers add column hash bytea;
