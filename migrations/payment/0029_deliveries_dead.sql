create index payment_deliveries_dead on payment_deliveries (id) where state = 4;
