-- What the codec's works encode and decode, mphost's and the Lua peers': the same values, timed the same way, by the
-- CPU's clock. Lua 5.3 can load it too.
local work = require "work"

local values = {}

local function floats()
  local list = {}
  for i = 1, 1000 do list[i] = math.sin(i) * 1000 end
  return list
end

-- Records of 331 bytes of JSON in groups of a hundred.
local function document(bytes)
  local groups = {}
  for k = 0, bytes // 331 do
    local place = k // 100 + 1
    groups[place] = groups[place] or { name = "group " .. place, members = {} }
    local members = groups[place].members
    members[#members + 1] = {
      id = k, name = "member " .. k, email = ("member%d@example.org"):format(k), active = k % 2 == 0, score = k / 8,
      tags = { "alpha", "beta", "gamma" },
      address = { street = k % 997 .. " Main Street", city = "Springfield", zip = 10000 + k % 89999,
        at = { 48.137154 + k / 1024, 11.576124 - k / 1024 } },
      visits = { { at = 1700000000 + k, page = "/start" }, { at = 1700000060 + k, page = "/help", from = "search" } },
    }
  end
  return groups
end

-- n: how often each is done in a full run; per: the table's unit in a second.
local list = {
  { name = "integer", n = 100000, per = 1e9, value = 42 },
  { name = "string", n = 100000, per = 1e9, value = "0123456789" },
  { name = "list", n = 50000, per = 1e9, value = { 1, 2, 3 } },
  { name = "record", n = 50000, per = 1e9, value = { x = 1, y = 2, s = "abc" } },
  { name = "floats", n = 100, per = 1e6, value = floats() },
  { name = "document", n = 1, per = 1e3, value = document(work.count(10000000)) },
}

-- JSON by lua-cjson keeps 14 digits of a float.
local function same(a, b)
  if type(a) == "number" and type(b) == "number" then return math.abs(a - b) <= 1e-9 * math.abs(a) + 1e-10 end
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do
    if not same(v, b[k]) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

---Seconds of one f(x).
---@param n integer
---@param f function
---@param x any
---@return number
function values.time(n, f, x)
  collectgarbage()
  local start = os.clock()
  for _ = 1, n do f(x) end
  return (os.clock() - start) / n
end

---Prints what encoding and decoding each value takes.
---@param encode fun(value: any): string
---@param decode fun(bytes: string): any
function values.run(encode, decode)
  for _, each in ipairs(list) do
    local bytes = encode(each.value)
    assert(same(each.value, decode(bytes)), each.name)
    local n = work.count(each.n)
    work.figure(each.name .. "_encode", values.time(n, encode, each.value) * each.per)
    work.figure(each.name .. "_decode", values.time(n, decode, bytes) * each.per)
  end
end

return values
