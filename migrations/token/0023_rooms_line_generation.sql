-- How often the line was loaded into Redis. Not 0: it is counted there, and the counts here are those of the last tick.
alter table token_rooms add column line_generation bigint not null default 0;
