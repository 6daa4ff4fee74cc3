-- Of the aggregate: the order of its events.
alter table payment_outbox add column version bigint not null default 0;
