-- Grows by one with each change of the payment or of a refund of it.
alter table payment_payments add column version bigint not null default 1;
