-- How far a line is.
-- KEYS: line, seq, admitted, active, gone
-- Returns {generation, issued, admitted, waiting, active}; the generation is -1 when the line is lost.
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return {-1, 0, 0, 0, 0} end
local issued, admitted = tonumber(redis.call('GET', KEYS[2])), tonumber(redis.call('GET', KEYS[3]))
local waiting = math.max(0, issued - admitted - redis.call('ZCARD', KEYS[5]))
return {tonumber(generation), issued, admitted, waiting, redis.call('ZCARD', KEYS[4])}
