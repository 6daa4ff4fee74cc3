-- How many places were drawn for, once the draw has begun.
alter table token_rooms add column prequeued_count bigint;
