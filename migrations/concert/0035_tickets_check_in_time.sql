alter table concert_tickets add column check_in_time bigint;
