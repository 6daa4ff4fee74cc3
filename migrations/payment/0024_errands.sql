-- What the processor is to be asked: one errand at most for a payment (its id is the payment's), and one for each refund.
-- A row is there until the processor has answered; whoever attends to it first moves its due time away.
create table payment_errands (
    payment_id uuid not null,
    id uuid not null,
    kind bigint not null check (kind between 1 and 4),
    due_time bigint not null,
    attempts bigint not null,
    problem text not null,
    create_time bigint not null,
    primary key (payment_id, id)
);
