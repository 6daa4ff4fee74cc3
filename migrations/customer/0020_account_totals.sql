-- What went out of and into each account that is not a customer's, over the entries that have been followed. A job rolls
-- them up, so that no posting waits for another at such a row.
create table customer_account_totals (
    account text collate "binary" not null primary key,
    debited bigint not null,
    credited bigint not null,
    update_time bigint not null
);
