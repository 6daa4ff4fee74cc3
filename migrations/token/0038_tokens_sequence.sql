-- A sequence is given out once in a room, also by a line outside that has forgotten what it gave out.
create unique index token_tokens_sequence on token_tokens (room_id, sequence);
