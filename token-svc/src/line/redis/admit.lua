-- Moves the head as planned: the turns come, each to be claimed in time.
-- KEYS: line, admitted, active, gone
-- ARGV: from, through, until when they are to be claimed
-- Returns how many turns came; -1 when the line is lost.
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local from, through = tonumber(ARGV[1]), tonumber(ARGV[2])
if tonumber(redis.call('GET', KEYS[2])) ~= from then return 0 end
local gone = redis.call('ZCOUNT', KEYS[4], from + 1, through)
local came = 0
for sequence = from + 1, through do
    if gone == 0 or not redis.call('ZSCORE', KEYS[4], sequence) then
        redis.call('ZADD', KEYS[3], ARGV[3], sequence)
        came = came + 1
    end
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', through)
redis.call('SET', KEYS[2], ARGV[2], 'KEEPTTL')
return came
