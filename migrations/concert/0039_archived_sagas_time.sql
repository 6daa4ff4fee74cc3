create index concert_archived_sagas_time on concert_archived_sagas (archive_time, saga_id);
