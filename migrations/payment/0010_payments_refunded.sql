-- Given back: the sum of the SUCCEEDED refunds.
alter table payment_payments add column refunded_amount bigint not null default 0 check (refunded_amount >= 0);
