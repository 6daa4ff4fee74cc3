-- The order of the room's events.
alter table token_rooms add column event_count bigint not null default 0;
