-- The two indexes of open sagas stay as small as what is under way. None of their columns changes while a saga goes on:
-- it enters them when it is accepted and leaves them when it ends.
create index orchestrator_saga_open on orchestrator_saga (create_time, id) where end_time is null;
