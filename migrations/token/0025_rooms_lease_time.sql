alter table token_rooms add column lease_time bigint not null default 0;
