-- A room's state follows from its times and `paused`. waiting_count: WAITING beyond the head. active_count: ACTIVE, and
-- WAITING up to the head. Times and lengths in milliseconds, admission_credit in millionths of an admission.
create table token_rooms (
    room_id uuid not null primary key,
    prequeue_open_time bigint,
    open_time bigint not null,
    close_time bigint,
    max_active_tokens bigint not null check (max_active_tokens > 0),
    admissions_per_1000_s bigint not null check (admissions_per_1000_s > 0),
    active_ttl bigint not null,
    claim_ttl bigint not null,
    max_active_lifetime bigint not null,
    max_waiting bigint not null,
    paused bigint not null check (paused in (0, 1)),
    issued_count bigint not null,
    admitted_through bigint not null check (admitted_through between 0 and issued_count),
    waiting_count bigint not null check (waiting_count >= 0),
    active_count bigint not null check (active_count >= 0),
    admission_credit bigint not null,
    tick_time bigint not null,
    admit_time bigint,
    version bigint not null,
    create_time bigint not null,
    update_time bigint not null,
    settled bigint not null check (settled in (0, 1))
);
