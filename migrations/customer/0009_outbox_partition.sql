alter table customer_outbox add column partition_key text not null default '';
