create index payment_deliveries_due on payment_deliveries (channel, next_attempt_time) where next_attempt_time is not null;
