create index payment_archived_sagas_time on payment_archived_sagas (archive_time, saga_id);
