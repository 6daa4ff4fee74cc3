//! What must hold over the journal's tables, and the facts that the participants' are compared with. For verification
//! only: it reads, on a snapshot, and nothing of the orchestrator depends on it.

use service_kit::verify::Check;

mod fact;
mod past;

pub use fact::{Course, SagaFact, StepFact, forgotten_before, sagas};
pub use past::{Intent, Past, pasts};

/// The rules of the journal.
pub const CHECKS: &[Check] = &[
    Check {
        id: "J1",
        rule: "until it is archived, a saga's history has an entry for every write, and none beyond",
        sql: "select id, 'version ' || version || ', history up to ' || coalesce(last, 0) || ' with ' \
            || coalesce(versions, 0) || ' writes' from (select s.id, s.version, max(e.version) as last, \
            count(distinct e.version) as versions from orchestrator_saga s left join orchestrator_saga_event e \
            on e.bucket = s.bucket and e.saga_id = s.id where s.archive_time is null \
            group by s.bucket, s.id, s.version) as books \
            where version <> coalesce(last, 0) or version <> coalesce(versions, 0) limit 20",
    },
    Check {
        id: "J2",
        rule: "epochs never go back",
        sql: "select saga_id, 'version ' || version || ' has epoch ' || epoch || ' after ' || earlier from (select \
            saga_id, version, epoch, lag(epoch) over (partition by bucket, saga_id order by version, position) as earlier \
            from orchestrator_saga_event) as history where epoch < earlier limit 20",
    },
    Check {
        id: "J3",
        rule: "no step goes forward once the saga compensates",
        sql: "select e.saga_id, 'step ' || e.step || ' was sent at version ' || e.version from orchestrator_saga_event e \
            join orchestrator_saga s on s.bucket = e.bucket and s.id = e.saga_id \
            where s.state = 'compensated' and e.kind = 'intended' and e.direction = 'forward' and exists (select 1 \
            from orchestrator_saga_event c where c.bucket = e.bucket and c.saga_id = e.saga_id \
            and c.kind = 'intended' and c.direction = 'compensation' and c.version < e.version) limit 20",
    },
    Check {
        id: "X8",
        rule: "every ended saga has exactly one event, every open one none",
        sql: "select id, state || ', ' || events || ' events' from (select s.id, s.state, s.end_time, \
            count(o.id) as events from orchestrator_saga s left join orchestrator_outbox o on o.bucket = s.bucket \
            and o.saga_id = s.id and o.type not in ('ticketing.saga.suspended.v1', 'ticketing.saga.resumed.v1') group by s.bucket, s.id, s.state, \
            s.end_time) as books where events <> case when end_time is null then 0 else 1 end \
            and not (events = 0 and end_time < (select max(create_time) from orchestrator_saga) - 518400000) limit 20",
    },
    Check {
        id: "X8c",
        rule: "an event that a saga has ended says how it did",
        sql: "select s.id, 'it is ' || s.state || ', and its event says ' || o.type from orchestrator_saga s \
            join orchestrator_outbox o on o.bucket = s.bucket and o.saga_id = s.id \
            where (o.type like '%.completed.v1' and s.state <> 'completed') \
            or (o.type like '%.failed.v1' and s.state <> 'compensated') limit 20",
    },
    Check {
        id: "X8d",
        rule: "a saga that is parked has told so",
        // One that could not be read is parked by its problem, and no machine has decided so.
        sql: "select s.id, 'it is parked, and told so ' || coalesce(o.parked, 0) || ' times, and that it goes on ' \
            || coalesce(o.resumed, 0) || ' times' from orchestrator_saga s left join (select bucket, saga_id, \
            sum(case when type = 'ticketing.saga.suspended.v1' then 1 else 0 end) as parked, \
            sum(case when type = 'ticketing.saga.resumed.v1' then 1 else 0 end) as resumed from orchestrator_outbox \
            where saga_id is not null group by bucket, saga_id) o on o.bucket = s.bucket and o.saga_id = s.id \
            where s.state = 'suspended' and coalesce(o.parked, 0) <= coalesce(o.resumed, 0) \
            and s.update_time > (select max(create_time) from orchestrator_saga) - 518400000 limit 20",
    },
    Check {
        id: "J4",
        rule: "a bulk operation counts what became of the sagas that it found",
        sql: "select id, 'counts ' || matched || ', ' || applied || ', ' || refused || ' instead of ' || found || ', ' \
            || done || ', ' || denied from (select b.id, b.matched, b.applied, b.refused, count(i.saga_id) as found, \
            count(case when i.state = 'applied' then 1 end) as done, \
            count(case when i.state = 'refused' then 1 end) as denied from orchestrator_bulk b \
            left join orchestrator_bulk_item i on i.bucket = b.bucket and i.bulk_id = b.id \
            group by b.bucket, b.id, b.matched, b.applied, b.refused) as books \
            where matched <> found or applied <> done or refused <> denied limit 20",
    },
];
