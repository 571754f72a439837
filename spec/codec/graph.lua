-- Random values, and whether two of them are the same graph.
local graph = {}

local numbers = {
  0, 1, -1, 127, 128, -32, -33, 255, -128, -129, 32767, 32768, -32769, 2147483647, 2147483648,
  -2147483649, math.maxinteger, math.mininteger, 0.0, -0.0, 1.5, 1e300, 5e-324, 1 / 0, -1 / 0,
  string.unpack("d", string.pack("i8", 0x7ff8dead0000beef)), 2.0 ^ 53, 3.0,
}

local function scalar(random)
  local kind = random(6)
  if kind <= 2 then return numbers[random(#numbers)] end
  if kind == 3 then return random(2) == 1 end
  if kind == 4 then return random(-1000, 1000) end
  local size = random(0, 3) == 3 and random(0, 300) or random(0, 9)
  return string.rep(string.char(random(0, 255)), size)
end

local function fill_list(random, t, value)
  local n = random(0, 3) == 0 and random(0, 60) or random(0, 4)
  local run = random(3)
  for i = 1, n do
    if run == 1 then
      t[i] = random(0, 40) == 0 and value() or random(-9, 9) * 10 ^ random(0, 9) // 1 | 0
    elseif run == 2 then
      t[i] = random(0, 40) == 0 and value() or random() * 1000
    else
      t[i] = value()
    end
  end
  if n > 2 and random(4) == 1 then t[random(n)] = nil end
end

local function fill_keys(random, t, value, key)
  for _ = 1, random(0, 5) do
    local k = key()
    if k == k then t[k] = value() end
  end
end

local function function_over(a, b)
  return function(new)
    if new ~= nil then a = new end
    return a, b
  end, function()
    return a
  end
end

-- A graph of n objects whose edges lead anywhere, so cycles and sharing abound. Table keys carry an
-- identity of their own, by which graph.same finds them again.
function graph.random(random, n)
  local objects = {}
  local function value()
    if #objects == 0 or random(2) == 1 then return scalar(random) end
    return objects[random(#objects)]
  end
  local function key()
    if random(12) == 1 and #objects > 0 then
      local t = objects[random(#objects)]
      if type(t) == "table" then return t end
    end
    return scalar(random)
  end
  for i = 1, n do objects[i] = { id = i } end
  for i = 1, n do
    if random(5) == 1 then
      local both, first = function_over(value(), value())
      table.insert(objects, both)
      table.insert(objects, first)
    end
    local t = objects[i]
    fill_list(random, t, value)
    fill_keys(random, t, value, key)
    t.id = i
    if random(6) == 1 then
      local m = objects[random(n)]
      if m.__pack == nil and m.__gc == nil and m.__mode == nil then setmetatable(t, m) end
    end
  end
  return objects[1]
end

local function same_scalar(a, b)
  if math.type(a) == "float" then
    return math.type(b) == "float" and string.pack("d", a) == string.pack("d", b)
  end
  return math.type(a) == math.type(b) and rawequal(a, b)
end

local function key_like(b, key)
  if type(key) ~= "table" then return key end
  for k in next, b do
    if type(k) == "table" and rawget(k, "id") == rawget(key, "id") then return k end
  end
end

-- Walks both by a list, as deep as it goes; a message names the first difference.
function graph.same(a, b)
  local there, back, todo = {}, {}, {}
  local function pair(x, y, where)
    if type(x) ~= type(y) then return where .. ": " .. type(x) .. " against " .. type(y) end
    if type(x) ~= "table" and type(x) ~= "function" then
      if same_scalar(x, y) then return nil end
      return where .. ": " .. tostring(x) .. " against " .. tostring(y)
    end
    if there[x] == nil and back[y] == nil then
      there[x], back[y] = y, x
      todo[#todo + 1] = { x, y }
    elseif there[x] ~= y or back[y] ~= x then
      return where .. ": shared differently"
    end
  end
  local function tables(x, y)
    local count = 0
    for k, v in next, x do
      local other = key_like(y, k)
      if other == nil then return "missing key " .. tostring(k) end
      local bad = pair(k, other, "key") or pair(v, rawget(y, other), "[" .. tostring(k) .. "]")
      if bad then return bad end
      count = count + 1
    end
    for _ in next, y do count = count - 1 end
    if count ~= 0 then return "more keys" end
    return pair(debug.getmetatable(x), debug.getmetatable(y), "metatable")
  end
  local function functions(x, y)
    if string.dump(x) ~= string.dump(y) then return "other code" end
    for i = 1, 255 do
      local name, value = debug.getupvalue(x, i)
      if name == nil then break end
      local bad = pair(value, select(2, debug.getupvalue(y, i)), "upvalue " .. name)
      local cell, other = debug.upvalueid(x, i), debug.upvalueid(y, i)
      if bad then return bad end
      if there[cell] == nil and back[other] == nil then
        there[cell], back[other] = other, cell
      elseif there[cell] ~= other or back[other] ~= cell then
        return "upvalue " .. name .. " shared differently"
      end
    end
  end
  local bad = pair(a, b, "value")
  while not bad and #todo > 0 do
    local at = table.remove(todo)
    bad = (type(at[1]) == "table" and tables or functions)(at[1], at[2])
  end
  return bad == nil, bad
end

return graph
