-- What broke a rule. Nothing is ever repaired by itself.
create table customer_ledger_findings (
    customer_id uuid not null,
    rule text collate "binary" not null,
    sequence bigint not null,
    problem text not null,
    find_time bigint not null,
    primary key (customer_id, rule, sequence)
);
