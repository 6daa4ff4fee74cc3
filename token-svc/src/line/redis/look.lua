-- Where a token is.
-- KEYS: line, seq, admitted, token
-- Returns {issued, admitted, its fields}; issued is -1 when the line is lost.
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1, 0, {}} end
local counts = redis.call('MGET', KEYS[2], KEYS[3])
return {tonumber(counts[1]), tonumber(counts[2]), redis.call('HMGET', KEYS[4], 's', 'st', 'c', 't', 'a', 'e')}
