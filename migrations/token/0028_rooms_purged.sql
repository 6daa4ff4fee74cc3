alter table token_rooms add column purged bigint not null default 0;
