-- What a seat cost when it was held; null while nobody has it. The price may be another one meanwhile.
alter table concert_performance_seats add column held_price bigint;
