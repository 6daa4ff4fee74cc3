-- At most one live payment a reference: PENDING, AUTHORIZED or CAPTURED.
create unique index payment_payments_live on payment_payments (reference) where state in (1, 2, 3);
