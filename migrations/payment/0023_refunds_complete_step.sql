-- The step that waits for the processor; none where it is not asked.
alter table payment_refunds add column complete_step text not null default '';
