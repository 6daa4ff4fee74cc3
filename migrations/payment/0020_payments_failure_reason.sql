-- The processor's code, when it has declined.
alter table payment_payments add column failure_reason text not null default '';
