alter table token_rooms add column ordering bigint not null default 1;
