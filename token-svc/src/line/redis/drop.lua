-- Lets go of a token that has ended: its place is given back, or passed over once the head comes to it.
-- KEYS: line, admitted, active, gone, token, customer
-- ARGV: token, sequence
-- Returns 0; -1 when the line is lost.
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
redis.call('DEL', KEYS[5])
if redis.call('GET', KEYS[6]) == ARGV[1] then redis.call('DEL', KEYS[6]) end
local sequence = tonumber(ARGV[2])
if sequence > 0 and sequence <= tonumber(redis.call('GET', KEYS[2])) then
    redis.call('ZREM', KEYS[3], sequence)
elseif sequence ~= 0 then
    redis.call('ZADD', KEYS[4], sequence, sequence)
end
return 0
