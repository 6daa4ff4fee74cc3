-- A saga's postings count once, even when the row of its step is long forgotten.
create unique index customer_transfers_saga on customer_transfers (customer_id, saga_id, kind) where saga_id is not null;
