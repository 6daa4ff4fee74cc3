create unique index token_signing_keys_one on token_signing_keys (generation);
