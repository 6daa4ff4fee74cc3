-- Takes over a live token as the tables have it.
-- KEYS: line, seq, admitted, active, gone, token, customer
-- ARGV: token, customer, sequence, state, create_time, activate_time, expire_time, lifetime, until when to claim
-- Returns 0; -1 when the line is lost.
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
redis.call('HSET', KEYS[6], 's', ARGV[3], 'st', ARGV[4], 'c', ARGV[2], 't', ARGV[5], 'a', ARGV[6], 'e', ARGV[7])
redis.call('PEXPIRE', KEYS[6], ARGV[8])
redis.call('SET', KEYS[7], ARGV[1], 'PX', ARGV[8])
local sequence = tonumber(ARGV[3])
if math.abs(sequence) > tonumber(redis.call('GET', KEYS[2])) then redis.call('SET', KEYS[2], math.abs(sequence), 'KEEPTTL') end
redis.call('ZREM', KEYS[5], sequence)
if ARGV[4] == '2' then
    redis.call('ZADD', KEYS[4], ARGV[7], sequence)
elseif sequence > 0 and sequence <= tonumber(redis.call('GET', KEYS[3])) then
    redis.call('ZADD', KEYS[4], 'NX', ARGV[9], sequence)
end
return 0
