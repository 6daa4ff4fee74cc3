alter table concert_outbox add column partition_key text not null default '';
