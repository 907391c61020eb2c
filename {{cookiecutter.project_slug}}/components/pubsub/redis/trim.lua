-- Trims the streams of this component. Nothing else does: a stream keeps all that was ever published,
-- and `maxLenApprox` and `streamTTL` of pubsub.redis drop what nobody has read yet.
--
--   valkey-cli --eval trim.lua , "$(cat pubsub.yaml)" 10000
--
-- A stream of up to so many messages is left alone. Of a longer one a message goes once every consumer
-- group has acknowledged it. A service that subscribes, and has no group as it never ran, keeps its
-- streams whole; pubsub.yaml says who subscribes. What nobody subscribes to goes after a week.
-- Each line of the answer is a stream that lost something.
local KEPT_MS = 7 * 24 * 3600 * 1000

local component, left_alone = ARGV[1] or '', tonumber(ARGV[2]) or 10000

-- The folded text of one metadata entry.
local function entry(name)
  local _, last = component:find('%- name: ' .. name .. '%s+value: >%-')
  if not last then
    return nil
  end
  local text = component:sub(last + 1)
  return text:match('^(.-)\n%s*%- name:') or text:match('^(.-)\n%a') or text
end

local topics, scopes = entry('protectedTopics'), entry('subscriptionScopes')
if not topics or not scopes then
  return redis.error_reply('ERR no protectedTopics and subscriptionScopes in what should be pubsub.yaml')
end

local subscribers = {}
for app, its in scopes:gmatch('([%w-]+)%s*=([^;]*)') do
  for topic in its:gmatch('[%w._-]+') do
    subscribers[topic] = subscribers[topic] or {}
    subscribers[topic][app] = true
  end
end

local function parse(id)
  local ms, sequence = id:match('^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

local function before(one, other)
  local ms, sequence = parse(one)
  local other_ms, other_sequence = parse(other)
  return ms < other_ms or (ms == other_ms and sequence < other_sequence)
end

local function after(id)
  local ms, sequence = parse(id)
  return string.format('%.0f-%.0f', ms, sequence + 1)
end

-- Pairs as XINFO has them: name, value, name, value.
local function fields(flat)
  local named = {}
  for position = 1, #flat, 2 do
    named[flat[position]] = flat[position + 1]
  end
  return named
end

-- The first id that some group still needs.
local function needed(stream)
  local least, there = nil, {}
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = fields(flat)
    there[group.name] = true
    local first = after(group['last-delivered-id'])
    if group.pending > 0 then
      first = redis.call('XPENDING', stream, group.name)[2]
    end
    if not least or before(first, least) then
      least = first
    end
  end
  for app in pairs(subscribers[stream] or {}) do
    if not there[app] then
      return '0-0'
    end
  end
  if not least then
    local now = redis.call('TIME')
    least = string.format('%.0f-0', now[1] * 1000 - KEPT_MS)
  end
  return least
end

local lines = {}
for topic in topics:gmatch('[%w._-]+') do
  if redis.call('XLEN', topic) > left_alone then
    local gone = redis.call('XTRIM', topic, 'MINID', needed(topic))
    if gone > 0 then
      table.insert(lines, topic .. ': ' .. gone)
    end
  end
end
return lines
