create index payment_deliveries_ended on payment_deliveries (end_time) where end_time is not null;
