-- What was told of what the time alone brings about: 0 nothing, 1 that it opened, 2 that it closed.
alter table token_rooms add column announced bigint not null default 0;
