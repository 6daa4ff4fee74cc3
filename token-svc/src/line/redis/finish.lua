-- Ends the loading of a line, which is in use from now on.
-- KEYS: line, loading, seq, admitted
-- ARGV: who loads, issued, admitted, generation, credit, tick_time, lifetime
-- Returns 0; -1 when it is not his to load any more.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[3], ARGV[2], 'PX', 2 * tonumber(ARGV[7]))
redis.call('SET', KEYS[4], ARGV[3], 'PX', 2 * tonumber(ARGV[7]))
redis.call('HSET', KEYS[1], 'generation', ARGV[4], 'credit', ARGV[5], 'tick', ARGV[6], 'next', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('DEL', KEYS[2])
return 0
