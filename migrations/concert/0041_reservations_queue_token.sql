-- The place in the waiting room whose pass opened the sale, by its name; empty when no pass was asked for, null when it was
-- held before this was written down.
alter table concert_reservations add column queue_token text;
