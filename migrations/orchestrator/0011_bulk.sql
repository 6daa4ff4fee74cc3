-- One verb for many sagas: asked for once, carried out by whichever orchestrator holds its claim.
create table orchestrator_bulk (
    bucket bigint not null,
    id uuid not null,
    request_hash bytea not null,
    filter text not null,
    verb text not null,
    reason text not null,
    claimant uuid,
    claim_end_time bigint not null,
    before_time bigint not null,
    before_id uuid not null,
    is_listed bigint not null,
    matched bigint not null,
    applied bigint not null,
    refused bigint not null,
    create_time bigint not null,
    cancel_time bigint,
    end_time bigint,
    primary key (bucket, id)
);
