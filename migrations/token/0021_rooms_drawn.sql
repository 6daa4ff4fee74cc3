-- How many of them have been drawn.
alter table token_rooms add column drawn_count bigint not null default 0;
