-- Calls without a pool: workers are forked for this call, so f and the items are inherited, whatever they are; only
-- results travel.
local check = require "mphost.check"
local items = require "mphost.items"
local methods = require "mphost.methods"
local pool = require "mphost.pool"

local once = {}

local call_options = { chunk = true, retries = true, on_error = true, timeout = true, window = true, progress = true }

local of_calls = { chunk = "number", on_error = "string", window = "number", progress = "boolean|function" }

-- Options of the call and of the pool, from one table; level: the caller of the library, from here.
local function split(level, position, name, options, of_call)
  local for_call, for_pool, known = {}, {}, {}
  if options == nil then return for_call, for_pool end
  check.type(level, position, name, options, "table")
  for key, kind in pairs(pool.known) do known[key] = kind end
  for key, kind in pairs(of_call) do known[key] = kind end
  check.options(level, name, options, known)
  for key, value in pairs(options) do
    if call_options[key] then for_call[key] = value else for_pool[key] = value end
  end
  return for_call, for_pool
end

-- A pool of which the workers inherit f and the items; without workers: this process, where they go the way of every
-- pool's. depth: functions between the library's caller and who calls this, but one.
local function pool_for(f, list, n, options, depth)
  local workers = math.tointeger(options.workers or pool.default_workers())
  if workers and workers > 0 then options.workers = math.min(workers, math.max(n, 1)) end
  return pool.make(options, workers ~= 0 and { f = f, items = list } or nil, depth)
end

-- Calls the method and gives its errors the line of mp.map's caller.
local function run(name, method, f, given, options)
  check.callable(2, 1, name, f)
  local list, n = items.list(2, 2, name, given)
  local for_call, for_pool = split(3, 3, name, options, of_calls)
  local own <close> = pool_for(f, list, n, for_pool, 1)
  local results = table.pack(pcall(method, own, f, list, for_call))
  if not results[1] then
    check.pass_on(results[2], 3)
  end
  return table.unpack(results, 2, results.n)
end

local same = methods._same

---f(item) for each item in processes forked for this call; results in order, `.n` of them.
---@param f function  any: it is inherited, not sent
---@param given table|function  any items
---@param options table?  those of pool:map and of mp.Pool
---@return table results
---@return table<integer, mphost.TaskError>? errors
function once.map(f, given, options)
  return same(run("map", methods.map, f, given, options))
end

---The same for what f does: nothing comes back.
---@param f function
---@param given table|function
---@param options table?
---@return integer count
---@return table<integer, mphost.TaskError>? errors
function once.each(f, given, options)
  return same(run("each", methods.each, f, given, options))
end

---As pool:reduce; f, merge and the items are inherited.
---@param f function
---@param merge fun(a: any, b: any): any
---@param given table|function
---@param init any
---@param options table?  those of pool:reduce and of mp.Pool
---@return any
function once.reduce(f, merge, given, init, options)
  check.callable(1, 1, "reduce", f)
  check.callable(1, 2, "reduce", merge)
  local list, n = items.list(1, 3, "reduce", given)
  methods._refuse_on_error(options)
  local for_call, for_pool = split(2, 5, "reduce", options, methods._reduce_known)
  local read = methods._reduce_options(for_call)
  local groups = methods._grouped(list, n, read.chunk)
  local fold = methods._fold(f, merge)
  local own <close> = pool_for(fold, groups, #groups, for_pool)
  return same(methods._reduce_groups(own, fold, merge, groups, list, init, read))
end

return once
