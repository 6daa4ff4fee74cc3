-- The oldest lock first.
create index concert_reservations_locked on concert_reservations (coalesce(cancel_begin_time, lock_time), reservation_id)
where lock_saga_id is not null;
