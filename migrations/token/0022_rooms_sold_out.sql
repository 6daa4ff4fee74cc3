alter table token_rooms add column sold_out_time bigint;
