// What is written to Redis, as Lua scripts: each takes effect whole, and nothing enters a store that lost something.
import { createHash } from 'node:crypto';
import { ErrorReply } from '@redis/client';
import { HEALTH_MAX } from './metrics-store.ts';
import type { RedisClient } from './redis-connection.ts';

/**
 * filled: hash; `server` = run id of the server that holds everything, `epoch` = first part of the feed's ids.
 * changes: stream, the feed; ids `<epoch>-<n>`, n without gaps, fields `value` or `health`.
 * health: hash, healthKey → `<at> <json>`.
 * windows<metric>: sorted set of window starts. window<metric>:<start>: hash, group → `<version> <json>`.
 * seed<key>: hash; the window and version that the original's key shows.
 */
export const KEYS = {
  filled: 'instashop:filled',
  changes: 'instashop:changes',
  health: 'instashop:health',
  windows: 'instashop:windows:',
  window: 'instashop:window:',
  seed: 'instashop:seed:',
} as const;

/** Entries the feed keeps: whoever is further behind reads the values themselves. */
const CHANGES_MAX = 20_000;

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') });

/** A feed that begins anew gets an epoch higher than any before, so that its readers see that something is missing. */
const EPOCH = `
  local function new_epoch(known)
    local time = redis.call('TIME')
    local epoch = time[1] * 1000 + math.floor(time[2] / 1000)
    local last = redis.call('XREVRANGE', '${KEYS.changes}', '+', '-', 'COUNT', 1)[1]
    if last then epoch = math.max(epoch, tonumber(string.match(last[1], '^%d+')) + 1) end
    if known then epoch = math.max(epoch, tonumber(known) + 1) end
    epoch = string.format('%.0f', epoch)
    redis.call('HSET', '${KEYS.filled}', 'epoch', epoch)
    return epoch
  end`;

/** ARGV[1]: the server's run id. A server that was started anew may have lost the newest writes, however few. */
const CHANGE = `${EPOCH}
  local server, epoch = unpack(redis.call('HMGET', '${KEYS.filled}', 'server', 'epoch'))
  if server ~= ARGV[1] then return -1 end
  if redis.call('EXISTS', '${KEYS.changes}') == 0 then epoch = new_epoch(epoch) end
  local function tell(kind, json)
    redis.call('XADD', '${KEYS.changes}', 'MAXLEN', '~', ${CHANGES_MAX}, epoch .. '-*', kind, json)
  end
  local function version_of(stored)
    return stored and tonumber(string.match(stored, '^%d+')) or -1
  end`;

/** ARGV: run id. */
export const MARK_FILLED = script(`${EPOCH}
  new_epoch(redis.call('HGET', '${KEYS.filled}', 'epoch'))
  redis.call('HSET', '${KEYS.filled}', 'server', ARGV[1])
  return 1`);

/**
 * ARGV: run id, TTL (ms), then of each value: metric, window start, window end, group, version, JSON, key of the
 * original ('' for none), its JSON. Returns how many took effect; -1: not filled.
 */
export const WRITE_VALUES = script(`${CHANGE}
  local ttl, taken, touched = ARGV[2], 0, {}
  local function add_window(metric, start)
    local index = '${KEYS.windows}' .. metric
    touched[index] = true
    if redis.call('ZADD', index, start, start) == 0 then return end
    for _, old in ipairs(redis.call('ZRANGE', index, 0, 1)) do
      if redis.call('EXISTS', '${KEYS.window}' .. metric .. ':' .. old) == 0 then redis.call('ZREM', index, old) end
    end
  end
  local function show(key, window_end, version, json)
    local shown = '${KEYS.seed}' .. key
    local known_end, known_version = unpack(redis.call('HMGET', shown, 'window_end', 'version'))
    if known_end and redis.call('EXISTS', key) == 1 then
      local later = tonumber(window_end) - tonumber(known_end)
      if later < 0 or (later == 0 and tonumber(version) <= tonumber(known_version)) then return end
    end
    redis.call('SET', key, json, 'PX', ttl)
    redis.call('HSET', shown, 'window_end', window_end, 'version', version)
    touched[shown] = true
  end
  for i = 3, #ARGV, 8 do
    local metric, start, window_end, group, version, json, key, shown = unpack(ARGV, i, i + 7)
    local window = '${KEYS.window}' .. metric .. ':' .. start
    if tonumber(version) > version_of(redis.call('HGET', window, group)) then
      redis.call('HSET', window, group, version .. ' ' .. json)
      if not touched[window] then add_window(metric, start) end
      touched[window] = true
      if key ~= '' then show(key, window_end, version, shown) end
      tell('value', json)
      taken = taken + 1
    end
  end
  for key in pairs(touched) do redis.call('PEXPIRE', key, ttl) end
  return taken`);

/** ARGV: run id, then of each health: key, time, JSON. Returns as WRITE_VALUES. */
export const WRITE_HEALTH = script(`${CHANGE}
  local taken, health = 0, '${KEYS.health}'
  for i = 2, #ARGV, 3 do
    local key, at, json = unpack(ARGV, i, i + 2)
    if tonumber(at) > version_of(redis.call('HGET', health, key)) then
      redis.call('HSET', health, key, at .. ' ' .. json)
      tell('health', json)
      taken = taken + 1
    end
  end
  local excess = redis.call('HLEN', health) - ${HEALTH_MAX}
  if excess > 0 then
    local all, by_age = redis.call('HGETALL', health), {}
    for i = 1, #all, 2 do by_age[#by_age + 1] = { all[i], version_of(all[i + 1]) } end
    table.sort(by_age, function(a, b) return a[2] < b[2] end)
    for i = 1, excess do redis.call('HDEL', health, by_age[i][1]) end
  end
  return taken`);

/** Runs a script, by its digest where the server knows it already. */
export async function evaluate(client: RedisClient, { text, sha }: Script, args: string[]): Promise<number> {
  const options = { arguments: args };
  try {
    return Number(await client.evalSha(sha, options));
  } catch (error) {
    if (!(error instanceof ErrorReply && error.message.startsWith('NOSCRIPT'))) throw error;
    return Number(await client.eval(text, options));
  }
}
