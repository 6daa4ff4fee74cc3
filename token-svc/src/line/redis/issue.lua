-- Takes the next place for a customer who has none.
-- KEYS: line, seq, admitted, gone, token, customer
-- ARGV: token, customer, create_time, whether it is to be drawn, max_waiting, whether people may join, lifetime
-- Returns {what became of it, sequence, issued, admitted}: -1 lost, 0 joined, 1 has one, 2 nobody may join, 3 full
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1, 0, 0, 0} end
if redis.call('EXISTS', KEYS[6]) == 1 then return {1, 0, 0, 0} end
if ARGV[6] == '0' then return {2, 0, 0, 0} end
local admitted = tonumber(redis.call('GET', KEYS[3]))
local most = tonumber(ARGV[5])
if most > 0 and tonumber(redis.call('GET', KEYS[2])) - admitted - redis.call('ZCARD', KEYS[4]) >= most then
    return {3, 0, 0, 0}
end
local issued = redis.call('INCR', KEYS[2])
local sequence = issued
if ARGV[4] == '1' then sequence = -issued end
redis.call('HSET', KEYS[5], 's', sequence, 'st', 1, 'c', ARGV[2], 't', ARGV[3])
redis.call('PEXPIRE', KEYS[5], ARGV[7])
redis.call('SET', KEYS[6], ARGV[1], 'PX', ARGV[7])
return {0, sequence, issued, admitted}
