-- The index on all sequences finds those inside, too.
drop index token_tokens_inside;
