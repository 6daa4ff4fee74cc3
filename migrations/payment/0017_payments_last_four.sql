-- By which the customer knows the card.
alter table payment_payments add column card_last_four text not null default '';
