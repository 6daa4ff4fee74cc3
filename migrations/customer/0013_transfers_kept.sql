append only customer_transfers;
