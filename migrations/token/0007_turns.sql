-- When the head came to a sequence; gone once all turns up to it are claimed or given back.
create table token_turns (
    room_id uuid not null,
    through_sequence bigint not null,
    admit_time bigint not null,
    primary key (room_id, through_sequence)
);
