-- The newest key signs. Each generation has one key, whoever makes it first.
alter table token_signing_keys add column generation bigint not null default 1;
