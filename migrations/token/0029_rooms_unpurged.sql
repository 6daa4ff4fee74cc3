create index token_rooms_unpurged on token_rooms (room_id) where settled = 1 and purged = 0;
