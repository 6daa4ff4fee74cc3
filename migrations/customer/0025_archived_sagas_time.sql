create index customer_archived_sagas_time on customer_archived_sagas (archive_time, saga_id);
