create table token_tokens (
    room_id uuid not null,
    token_id uuid not null,
    customer_id uuid not null,
    sequence bigint not null,
    state bigint not null check (state between 1 and 6),
    create_time bigint not null,
    activate_time bigint,
    expire_time bigint,
    end_time bigint,
    saga_id uuid,
    reason text,
    primary key (room_id, token_id)
);
