-- A person's request counts once, even when its kept answer is long forgotten. A saga's counts once by its reservation.
create unique index customer_transfers_request on customer_transfers (customer_id, request_id) where saga_id is null;
