-- Concerts behind a waiting room that may still sell; state 4 is CLOSED.
create index concert_concerts_roomed on concert_concerts (concert_id) where waiting_room_id is not null and state <> 4;
