create index token_archived_sagas_time on token_archived_sagas (archive_time, saga_id);
