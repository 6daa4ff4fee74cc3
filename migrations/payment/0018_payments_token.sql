-- The one-time token of the card, until the processor has answered.
alter table payment_payments add column processor_token text not null default '';
