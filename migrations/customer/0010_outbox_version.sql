-- Of the aggregate: the order of its events.
alter table customer_outbox add column version bigint not null default 0;
