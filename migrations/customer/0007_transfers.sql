-- The ledger: rows are added, never changed. A customer's entries count up from 1 without a gap.
create table customer_transfers (
    customer_id uuid not null,
    sequence bigint not null check (sequence > 0),
    transfer_id uuid not null,
    kind bigint not null check (kind between 1 and 6),
    amount bigint not null check (amount > 0),
    debit_account text not null,
    credit_account text collate "binary" not null check (credit_account <> debit_account),
    balance_after bigint not null check (balance_after >= 0),
    saga_id uuid,
    request_id uuid not null,
    reason text not null,
    create_time bigint not null,
    primary key (customer_id, sequence)
);
