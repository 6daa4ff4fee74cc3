create index payment_refunds_of on payment_refunds (payment_id, saga_id);
