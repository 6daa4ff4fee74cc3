-- How far the head is to move at a tick. What was decided and has not been done, as its process died, comes first.
-- KEYS: line, seq, admitted, active, gone
-- ARGV: now, rate, from when it counts, max_active, most credit that a tick earns, one admission, lifetime
-- Returns {generation, from, through, issued, waiting, active, credit, tick_time} as they were before the head moves; the
-- generation is -1 when the line is lost.
local line = redis.call('HMGET', KEYS[1], 'generation', 'credit', 'tick', 'next')
if not line[1] then return {-1, 0, 0, 0, 0, 0, 0, 0} end
local issued, admitted = tonumber(redis.call('GET', KEYS[2])), tonumber(redis.call('GET', KEYS[3]))
-- A line that nobody moves any more goes by itself; it goes as a whole.
for n = 2, 5 do redis.call('PEXPIRE', KEYS[n], 2 * tonumber(ARGV[7])) end
redis.call('PEXPIRE', KEYS[1], ARGV[7])
-- Those who left before the draw are told again by their sequences.
redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', 0)
local waiting = math.max(0, issued - admitted - redis.call('ZCARD', KEYS[5]))
local active = redis.call('ZCARD', KEYS[4])
local credit, tick, through = tonumber(line[2]), tonumber(line[3]), tonumber(line[4])
if through <= admitted then
    local now, one = tonumber(ARGV[1]), tonumber(ARGV[6])
    local since = math.max(tick, tonumber(ARGV[3]))
    credit = credit + math.min(tonumber(ARGV[2]) * math.max(now - since, 0), tonumber(ARGV[5]))
    local count = math.min(math.floor(credit / one), tonumber(ARGV[4]) - active, waiting)
    count = math.max(count, 0)
    credit, tick, through = math.min(credit - count * one, one), math.max(tick, now), admitted + count
    -- Those who have gone are passed over.
    local reached = admitted + count + redis.call('ZCOUNT', KEYS[5], admitted + 1, through)
    while reached ~= through do
        through = reached
        reached = admitted + count + redis.call('ZCOUNT', KEYS[5], admitted + 1, through)
    end
    redis.call('HSET', KEYS[1], 'credit', credit, 'tick', tick, 'next', through)
end
return {tonumber(line[1]), admitted, through, issued, waiting, active, credit, tick}
