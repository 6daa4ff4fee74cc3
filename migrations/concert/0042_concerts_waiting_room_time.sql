-- Since when the waiting room is the one that it is; null where there never was one, or that was not written down yet.
alter table concert_concerts add column waiting_room_time bigint;
