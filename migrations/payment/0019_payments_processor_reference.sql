alter table payment_payments add column processor_reference text not null default '';
