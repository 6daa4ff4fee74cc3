create index event_held_due on event_held (source, sink, due_time);
