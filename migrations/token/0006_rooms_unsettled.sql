create index token_rooms_unsettled on token_rooms (room_id) where settled = 0;
