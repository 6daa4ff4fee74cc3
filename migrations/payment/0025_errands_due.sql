create index payment_errands_due on payment_errands (due_time, payment_id, id);
