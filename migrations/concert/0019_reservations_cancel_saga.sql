-- The saga that has cancelled it; while it does so it is lock_saga_id.
alter table concert_reservations add column cancel_saga_id uuid;
