-- The caps of a customer.
create index concert_reservations_of_customer on concert_reservations (customer_id, concert_id);
