-- What player-state does with a Join, a Move or a Dig, in the order of its checks: the remembered requests, the
-- hunt's end, the player, the rules; then the player, the hunt's next sequence, and the record with its outcome.
--
-- KEYS: player, hunt, treasures, records. ARGV: request id, action, x, y, the command encoded.
-- Answers verdict, reason, sequence, x, y, score, version.
local APPLIED, DUPLICATE, REJECTED, REFUSED = 1, 2, 3, 4
local HUNT_ENDED, NOT_JOINED, OUT_OF_BOUNDS, TOO_FAR, NOTHING_HERE = 2, 3, 4, 5, 7
local UNKNOWN_HUNT, REQUEST_TOO_OLD = 1, 7

local request, action = tonumber(ARGV[1]), ARGV[2]
local hunt = redis.call('HMGET', KEYS[2], 'width', 'height', 'ends')
if not hunt[1] then return {REFUSED, UNKNOWN_HUNT, 0, 0, 0, 0, 0} end

-- The player: the 4 largest request ids, ascending, each with the sequence at which it was applied; then place,
-- score and version. One packed value is faster than a hash of its fields.
local PLAYER = 'ddddddddI2I2I8I4'
local player = redis.call('GET', KEYS[1])
local seen = player and {struct.unpack(PLAYER, player)} or {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
local x, y, score, version = seen[9], seen[10], seen[11], seen[12]
for i = 1, 7, 2 do
  if seen[i] == request then return {DUPLICATE, 0, seen[i + 1], x, y, score, version} end
end
if request < seen[1] then return {REFUSED, REQUEST_TOO_OLD, 0, 0, 0, 0, 0} end

local function rejected(reason) return {REJECTED, reason, 0, x, y, score, version} end
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
if at >= tonumber(hunt[3]) then return rejected(HUNT_ENDED) end
if not player and action ~= 'join' then return rejected(NOT_JOINED) end

local dug = 0
if action == 'join' then
  x, y = tonumber(ARGV[3]), tonumber(ARGV[4])
elseif action == 'move' then
  local to_x, to_y = tonumber(ARGV[3]), tonumber(ARGV[4])
  if to_x >= tonumber(hunt[1]) or to_y >= tonumber(hunt[2]) then return rejected(OUT_OF_BOUNDS) end
  if math.abs(to_x - x) > 1 or math.abs(to_y - y) > 1 then return rejected(TOO_FAR) end
  x, y = to_x, to_y
else
  local cell = y * tonumber(hunt[1]) + x
  dug = tonumber(redis.call('HGET', KEYS[3], cell) or 0)
  if dug == 0 then return rejected(NOTHING_HERE) end
  redis.call('HDEL', KEYS[3], cell)
  score = score + dug
end

version = version + 1
local sequence = redis.call('HINCRBY', KEYS[2], 'sequence', 1)
local i = 7
while i > 1 and seen[i] > request do i = i - 2 end
for j = 1, i - 2, 2 do seen[j], seen[j + 1] = seen[j + 2], seen[j + 3] end
seen[i], seen[i + 1] = request, sequence
redis.call('SET', KEYS[1], struct.pack(PLAYER, seen[1], seen[2], seen[3], seen[4], seen[5], seen[6], seen[7], seen[8],
  x, y, score, version))
redis.call('XADD', KEYS[4], sequence .. '-0', 'c', ARGV[5], 'o', struct.pack('>I8I2I2I8I4I2', at, x, y, score, version, dug))
return {APPLIED, 0, sequence, x, y, score, version}
