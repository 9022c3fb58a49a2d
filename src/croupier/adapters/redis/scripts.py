"""What Redis does in one piece: Lua, so that no reader sees half of it."""

_COUNT = """
local function count(key, version, at, expiry, first)
  redis.call('HSET', key, 'n', ARGV[first], 'reward_sum', ARGV[first + 1],
    'mean', ARGV[first + 2], 'weight', ARGV[first + 3], 'version', version, 'at', at)
  redis.call('PEXPIRE', key, expiry)
end

-- The arms that are drawn, from KEYS[first] on. Who was and is no more weighs nothing; its counts,
-- their version and its expiry stay. True if there was one.
local function drawn(set, first)
  local now, left = {}, false
  for place = first, #KEYS do
    now[KEYS[place]] = true
    redis.call('SADD', set, KEYS[place])
  end
  for _, key in ipairs(redis.call('SMEMBERS', set)) do
    if not now[key] then
      if redis.call('EXISTS', key) == 1 then redis.call('HSET', key, 'weight', '0.0') end
      redis.call('SREM', set, key)
      left = true
    end
  end
  return left
end
"""

PUT = (
    """
-- keys: versions, snapshot, history; with counts, the drawn and the arms' hashes.
-- arguments: experiment, version, at, payload, kept, channel, expiry;
-- for each arm: n, reward_sum, mean, weight.
"""
    + _COUNT
    + """
local version = tonumber(ARGV[2])
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and tonumber(held) >= version and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[4])
redis.call('ZADD', KEYS[3], version, ARGV[3] .. '|' .. ARGV[4])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - tonumber(ARGV[5]))
for place = 5, #KEYS do
  count(KEYS[place], ARGV[2], ARGV[3], ARGV[7], 8 + (place - 5) * 4)
end
if KEYS[4] then drawn(KEYS[4], 5) end
redis.call('PUBLISH', ARGV[6], ARGV[1])
return 1
"""
)

RECOUNT = (
    """
-- keys: versions, drawn; the arms' hashes.
-- arguments: experiment, version, at, expiry; for each arm: n, reward_sum, mean, weight.
"""
    + _COUNT
    + """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
local lost = drawn(KEYS[2], 3) and 1 or 0
for place = 3, #KEYS do
  local stands = redis.call('HGET', KEYS[place], 'version')
  if stands ~= ARGV[2] or redis.call('PTTL', KEYS[place]) < tonumber(ARGV[4]) / 2 then
    count(KEYS[place], ARGV[2], ARGV[3], ARGV[4], 5 + (place - 3) * 4)
    lost = 1
  end
end
return lost
"""
)

NEWER = """
-- keys: versions. arguments: prefix; for each experiment held: name, version.
local held = {}
for place = 2, #ARGV, 2 do held[ARGV[place]] = tonumber(ARGV[place + 1]) end
local found, all = {}, redis.call('HGETALL', KEYS[1])
for place = 1, #all, 2 do
  if tonumber(all[place + 1]) > (held[all[place]] or 0) then
    local payload = redis.call('GET', ARGV[1] .. ':' .. all[place] .. ':snapshot')
    if payload then found[#found + 1] = payload end
  end
end
return found
"""

TRIM = """
-- keys: histories. arguments: at.
local dropped = 0
for _, key in ipairs(KEYS) do
  for _, member in ipairs(redis.call('ZRANGE', key, 0, -2)) do
    if tonumber(string.match(member, '^(%-?%d+)|')) < tonumber(ARGV[1]) then
      dropped = dropped + redis.call('ZREM', key, member)
    end
  end
end
return dropped
"""
