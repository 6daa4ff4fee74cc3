-- Which process moves the head, until lease_time.
alter table token_rooms add column tick_owner uuid;
