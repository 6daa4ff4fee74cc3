-- The same of the capture.
alter table payment_payments add column capture_step text not null default '';
