-- The step that waits for the processor; none where it is not asked.
alter table payment_payments add column authorize_step text not null default '';
