-- What operators did, to a room or to a token in it. What happens to a token otherwise is in its own row.
create table token_audit (
    room_id uuid not null,
    id uuid not null,
    token_id uuid,
    method text not null,
    from_state text not null,
    to_state text not null,
    actor text not null,
    reason text not null,
    create_time bigint not null,
    primary key (room_id, id)
);
