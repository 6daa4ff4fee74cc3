-- About to be given back: the sum of the PENDING refunds.
alter table payment_payments add column refunding_amount bigint not null default 0
    check (refunding_amount >= 0 and refunded_amount + refunding_amount <= captured_amount);
