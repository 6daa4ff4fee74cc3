-- Of a room whose prequeue is shuffled; secret until it is closed.
alter table token_rooms add column shuffle_seed bytea;
