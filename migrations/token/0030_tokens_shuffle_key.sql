-- What a place in a shuffled prequeue is drawn by. Until it is drawn, its sequence is below 0.
alter table token_tokens add column shuffle_key bytea;
