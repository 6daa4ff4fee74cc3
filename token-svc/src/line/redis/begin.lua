-- Begins to load a line that is lost, unless somebody else does.
-- KEYS: line, loading, seq, admitted, active, gone
-- ARGV: who loads, for how long he has it to himself
-- Returns 0 when it is not lost, 1 when somebody else loads it, 2 to go on.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return 2
