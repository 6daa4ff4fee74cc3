create index orchestrator_bulk_item_pending on orchestrator_bulk_item (bucket, bulk_id, saga_id) where state = 'pending';
