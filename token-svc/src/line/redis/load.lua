-- Loads some live tokens.
-- KEYS: loading, active, and for each token its own and its customer's
-- ARGV: who loads, for how long he has it to himself, lifetime, admitted, until when to claim, and for each token: token,
-- customer, sequence, state, create_time, activate_time, expire_time
-- Returns 0; -1 when it is not his to load any more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local admitted = tonumber(ARGV[4])
for n = 0, (#KEYS - 2) / 2 - 1 do
    local token, customer, a = KEYS[3 + 2 * n], KEYS[4 + 2 * n], 5 + 7 * n
    redis.call('HSET', token, 's', ARGV[a + 3], 'st', ARGV[a + 4], 'c', ARGV[a + 2], 't', ARGV[a + 5],
        'a', ARGV[a + 6], 'e', ARGV[a + 7])
    redis.call('PEXPIRE', token, ARGV[3])
    redis.call('SET', customer, ARGV[a + 1], 'PX', ARGV[3])
    local sequence = tonumber(ARGV[a + 3])
    if ARGV[a + 4] == '2' then
        redis.call('ZADD', KEYS[2], ARGV[a + 7], sequence)
    elseif sequence > 0 and sequence <= admitted then
        redis.call('ZADD', KEYS[2], ARGV[5], sequence)
    end
end
return 0
