-- The codec's behaviour as a user sees it. Each case is run by codec_spec.c in a state of its own,
-- which offers pack(value), unpack(bytes, flags) and remote(bytes, chunk): that decodes in another,
-- fresh state, runs chunk(value) there and returns its first result if that is a scalar.
local graph = require "graph"
local pack, unpack, remote = pack, unpack, remote -- luacheck: ignore
local NO_CODE, REPLACE_GLOBALS = 1, 2
local cases, order = {}, {}

local function case(name, body)
  cases[name] = body
  order[#order + 1] = name
end

local function there_and_back(value)
  return (assert(unpack((assert(pack(value))))))
end

local function refuses(value, message)
  local bytes, text = pack(value)
  assert(bytes == nil, "was sent")
  assert(text == message, text)
end

local function travels(value)
  local bytes = assert(pack(value))
  local back, message = unpack(bytes)
  if message then error(message, 2) end
  local same, difference = graph.same(value, back)
  if not same then error(difference, 2) end
  return back, bytes
end

case("numbers keep subtype and every bit", function()
  for shift = 0, 63 do
    for add = -1, 1 do
      travels((1 << shift) + add)
      travels(-(1 << shift) + add)
    end
  end
  for _, x in ipairs { 0.0, -0.0, 1.0, 2.0 ^ 63, 1 / 0, -1 / 0, 5e-324, 0.1 } do travels(x) end
  for _, bits in ipairs { 0x7ff8000000000001, -1, 0x7ff8dead0000beef } do
    travels((string.unpack("d", string.pack("i8", bits))))
  end
end)

case("small values take few bytes", function()
  assert(#pack(42) == 2 and #pack(-7) == 2 and #pack(200) == 4 and #pack(true) == 2)
  assert(#pack("abc") == 5 and #pack { 1, 2, 3 } == 6 and #pack(1.5) == 10)
  assert(#pack { 1, 2, 3, x = 4 } == 13, "each element once")
end)

case("booleans, nil and strings of every size travel", function()
  assert(there_and_back(true) == true)
  local value, message = unpack(pack(false))
  assert(value == false and message == nil)
  value, message = unpack(pack(nil))
  assert(value == nil and message == nil)
  for _, size in ipairs { 0, 1, 30, 31, 32, 255, 256, 65535, 65536, 1000000 } do
    travels(string.rep("\0\xff\n", size // 3) .. string.rep("x", size % 3))
  end
end)

case("lists travel with holes, packed or not, and with other keys", function()
  for n = 0, 40 do
    local ints, floats, mixed = {}, {}, {}
    for i = 1, n do
      ints[i], floats[i], mixed[i] = i * i, i / 3, i % 5 == 0 and "x" or i
    end
    travels(ints)
    travels(floats)
    travels(mixed)
    mixed.key, mixed[0], mixed[n + 5], mixed[-1] = true, 1, 2, 3
    travels(mixed)
  end
  travels { 1, nil, 3 }
  travels { nil, nil, 3 }
  travels { n = 3, nil, 2, nil }
end)

case("integer runs keep values at the edges of every width", function()
  for _, bits in ipairs { 8, 16, 32, 64 } do
    local list = {}
    for i = 1, 20 do list[i] = i end
    local edge = 1 << (bits - 1)
    for _, value in ipairs { edge - 1, -edge, edge, -edge - 1 } do
      list[7] = value
      travels(list)
    end
  end
end)

case("runs end where kinds change and at their longest", function()
  local list = {}
  for i = 1, 5000 do list[i] = i % 1500 < 750 and i or i + 0.5 end
  travels(list)
  for i = 1, 5000 do list[i] = i % 8 == 0 and "s" or i end
  travels(list)
  for _, n in ipairs { 7, 8, 9, 1023, 1024, 1025, 2048, 2049 } do
    local exact = {}
    for i = 1, n do exact[i] = -i end
    travels(exact)
  end
end)

case("lists whose elements stand in the hash part lose and double nothing", function()
  travels { [1] = 1, [2] = 2, [3] = 3 }
  travels { [3] = 3, [2] = 2, [1] = 1, x = 4 }
  local t = {}
  for i = 64, 1, -1 do t[i] = i end
  travels(t)
  for i = 1, 200 do t["k" .. i] = i end
  for i = 1, 63 do t[i] = nil end
  travels(t)
end)

case("every kind of key travels", function()
  travels { [true] = 1, [false] = 2, [1.5] = 3, [-1] = 4, [1 / 0] = 5, [""] = 6, ["a\0b"] = 7 }
  travels { [{ id = 1 }] = { id = 2 }, [{ id = 3 }] = 4, [5] = { [{ id = 6 }] = { id = 7 } } }
  local t = {}
  for i = 1, 70000 do t["k" .. i] = i end
  travels(t)
end)

case("shared tables stay shared, cycles stay closed", function()
  local a, b = { 1 }, {}
  a.self, a.b, b.a, b[a], b[1], b[2] = a, b, a, b, a, b
  local back = there_and_back(a)
  assert(back.self == back and back.b.a == back and back.b[back] == back.b and back.b[2] == back.b)
  local many = {}
  for i = 1, 1000 do many[i] = { id = i } end
  for i = 1, 1000 do many[1000 + i] = many[i * 7919 % 1000 + 1] end
  travels(many)
end)

case("random graphs arrive as the same graph", function()
  math.randomseed(42)
  for round = 1, 600 do
    local value = graph.random(math.random, math.random(1, 30))
    local same, difference = graph.same(value, there_and_back(value))
    if not same then error("round " .. round .. ": " .. difference) end
  end
end)

case("a million levels travel: lists, records, keys, metatables", function()
  local function depth(value, inner)
    local n = 0
    while value do value, n = inner(value), n + 1 end
    return n
  end
  local list, record, meta, key = {}, {}, {}, {}
  for _ = 2, 1000000 do list, record = { list }, { x = record, y = 1 } end
  assert(depth(there_and_back(list), function(v) return v[1] end) == 1000000)
  assert(depth(there_and_back(record), function(v) return v.x end) == 1000000)
  list, record = nil, nil -- luacheck: ignore
  for _ = 2, 200000 do meta, key = setmetatable({}, meta), { [key] = true } end
  assert(depth(there_and_back(meta), getmetatable) == 200000)
  assert(depth(there_and_back(key), function(v) return (next(v)) end) == 200000)
end)

case("closures nest deep", function()
  local f = function() return 0 end
  for _ = 1, 20000 do
    local inner = f
    f = function(step) return step and inner or inner ~= nil end
  end
  local back, n = there_and_back(f), 0
  while back(true) ~= 0 do back, n = back(true), n + 1 end
  assert(n == 20000)
end)

case("metatables travel by value and stay one", function()
  local meta = { __index = { answer = 42 }, __tostring = function(o) return "<" .. o.x .. ">" end }
  meta.__metatable = "closed"
  local a, b = setmetatable({ x = 1 }, meta), setmetatable({ x = 2 }, meta)
  local back = there_and_back { a, b, a }
  assert(back[1] == back[3] and back[1] ~= back[2])
  assert(debug.getmetatable(back[1]) == debug.getmetatable(back[2]))
  assert(back[1].answer == 42 and tostring(back[2]) == "<2>" and getmetatable(back[1]) == "closed")
  assert(remote(pack(a), "return tostring(...) .. (...).answer") == "<1>42")
end)

case("a metatable may be the object itself, or lead to it", function()
  local self = {}
  self.__index = self
  setmetatable(self, self)
  local back = there_and_back(self)
  assert(debug.getmetatable(back) == back and back.__index == back)
  local object = {}
  setmetatable(object, { owner = object })
  back = there_and_back(object)
  assert(getmetatable(back).owner == back)
end)

case("classes of a module keep their identity", function()
  local sample = require "sample"
  local point = sample.Point.new(3, 4)
  local back = there_and_back { point, sample.Point, sample.Packed, sample.settings }
  assert(getmetatable(back[1]) == sample.Point and back[2] == sample.Point)
  assert(back[3] == sample.Packed, "the name is that of the class")
  assert(back[4] ~= sample.settings and back[4].depth == 1, "a mere field is data")
  assert(remote(pack(point), "return (...):norm()") == 25)
  assert(remote(pack(point), "return getmetatable(...) == require('sample').Point"))
end)

case("__pack and __unpack decide for their class", function()
  local Packed = require("sample").Packed
  local packed = setmetatable({ value = 5, heavy = coroutine.create(print) }, Packed)
  local back = there_and_back { packed, packed, { packed } }
  assert(back[1].unpacked and back[1].value == 5 and back[1] == back[2] and back[3][1] == back[1])
  assert(remote(pack(packed), "return (...).value") == 5)
end)

case("__pack works for a class that travels by value, and at every depth", function()
  local Class = {}
  function Class.__pack(o) return o.inner or o.n end
  function Class.__unpack(v)
    return setmetatable(type(v) == "table" and { inner = v } or { n = v }, Class)
  end
  local chain = setmetatable({ n = 7 }, Class)
  for _ = 1, 1000 do chain = setmetatable({ inner = chain }, Class) end
  local back, depth = there_and_back(chain), 0
  while back.inner do back, depth = back.inner, depth + 1 end
  assert(back.n == 7 and depth == 1000)
  assert(remote(pack(chain), "return (...).inner.inner ~= nil"))
end)

case("__pack speaks for a userdata", function()
  local meta = debug.getmetatable(io.stdout)
  meta.__pack = function() return "stdout" end
  meta.__unpack = function(name) return { opened = name } end
  local bytes, message = pack { io.stdout }
  meta.__pack, meta.__unpack = nil, nil
  assert(bytes == nil and message:find("cannot send value[1]<metatable>", 1, true), message)
end)

case("what goes wrong in __pack and __unpack is told", function()
  local none = function() end
  local loop = setmetatable({}, { __pack = function(o) return { o } end, __unpack = none })
  refuses({ a = loop }, "cannot send value.a<__pack>[1]: its __pack leads back to it")
  local bad = setmetatable({}, { __pack = function() error("no", 0) end, __unpack = none })
  refuses(bad, "cannot send value<__pack>: error in its __pack: no")
  local odd = setmetatable({}, { __pack = function() return 1 end })
  refuses({ x = { odd } }, "cannot send value.x[1]: it has __pack, but no __unpack")
  local mine = setmetatable({}, { __name = "Mine", __pack = false })
  refuses({ mine }, "cannot send value[1]: table 'Mine'")
  local _, message = unpack(pack(setmetatable({}, { __pack = function() return 1 end, __unpack = none })))
  assert(message:find("__unpack made nothing", 1, true), message)
end)

case("functions bring their upvalues, and share them as before", function()
  local a, b = 1, { 2 }
  local function set(x) a = x end
  local function get() return a, b end
  local back = there_and_back { set, get, b, set }
  back[1]("new")
  local x, y = back[2]()
  assert(x == "new" and y == back[3] and back[4] == back[1] and a == 1)
  travels { set, get, b }
  assert(remote(pack { set, get }, "local f = ... f[1](9) return (f[2]())") == 9)
end)

case("recursive local functions work, alone and by two", function()
  local function factorial(n) return n <= 1 and 1 or n * factorial(n - 1) end
  assert(there_and_back(factorial)(10) == 3628800)
  local odd
  local function even(n) return n == 0 or odd(n - 1) end
  function odd(n) return n ~= 0 and even(n - 1) end
  assert(remote(pack(even), "return (...)(10) and not (...)(7)"))
end)

case("an upvalue is what it was though load makes the first one _G", function()
  local k = 41
  assert(there_and_back(function() return k + 1 end)() == 42)
  local nothing -- luacheck: ignore
  assert(there_and_back(function() return nothing end)() == nil)
end)

case("_ENV becomes the receiver's globals, a private one travels", function()
  local bytes = pack(function() return where end) -- luacheck: ignore
  assert(remote(bytes, "where = 'there' return (...)()") == "there")
  local f = load("return x", "=private", "t", { x = "mine" })
  assert(remote(pack(f), "return (...)()") == "mine")
  assert(there_and_back(_G) == _G)
  assert(remote(pack { _G }, "return (...)[1] == _G"))
end)

case("tracebacks name the user's file and line", function()
  local f = load("local x = 1\nlocal y = x\nerror('here')", "@user/script.lua")
  assert(remote(pack(f), "return select(2, pcall(...))") == "user/script.lua:3: here")
  local g = load("local name = nil\nreturn name.field", "@user/script.lua")
  local text = remote(pack(g), "return select(2, pcall(...))")
  assert(text == "user/script.lua:2: attempt to index a nil value (local 'name')", text)
end)

case("globals travel with the functions that read them, each once", function()
  load([[
    function square(n) return n * n end
    function sum(n) if n == 0 then return base end return square(n) + sum(n - 1) end
    base = { 100 }
    function run(n) local function inner() return sum(n)[1] end return inner, nowhere end
  ]], "@globals.lua")()
  local bytes = pack { run, sum, base } -- luacheck: ignore
  load "square, sum, base, run = nil"()
  local chunk = [[
    local v = ...
    return v[2](0) == base and v[3] == base and sum == v[2] and run == nil
  ]]
  assert(remote(bytes, chunk), "shared with the message, and run itself is no global there")
  local _, count = bytes:gsub("square", "")
  assert(count == 2, "sum's constant and the name: " .. count)
  load("common = 1 function f() return common end function g() return common end", "@c.lua")()
  _, count = pack({ f, g }):gsub("common", "") -- luacheck: ignore
  assert(count == 3, "two constants and one name: " .. count)
end)

case("a global that only a nested function reads travels", function()
  load [[
    function outer() return function() return function() return deep.x end end end
    deep = { x = 5 }
  ]]()
  local bytes = pack(outer) -- luacheck: ignore
  assert(remote(bytes, "return (...)()()()") == 5)
end)

case("globals are found behind many constants and through _G", function()
  local lines = { "local t = {}" }
  for i = 1, 400 do lines[#lines + 1] = "t[" .. i .. "] = 'constant" .. i .. "'" end
  lines[#lines + 1] = "return late_one + _G.late_two + "
  lines[#lines] = lines[#lines] .. "a_name_that_is_longer_than_forty_characters_for_sure"
  load "late_one, late_two = 1, 10 a_name_that_is_longer_than_forty_characters_for_sure = 100"()
  assert(remote(pack(load(table.concat(lines, "\n"))), "return (...)()") == 111)
end)

case("a name that is only written, or is local, brings nothing", function()
  load "written, shadowed = io.stdout, io.stdout"()
  local f = load "written = 1 local shadowed = 2 return shadowed"
  assert(remote(pack(f), "return (...)()") == 2)
  local g = load "local _ENV = { shadowed = 3 } return shadowed"
  assert(remote(pack(g), "return (...)()") == 3)
  local h = load "local _ENV = { shadowed = 4 } return function() return shadowed end"
  assert(remote(pack(h), "return (...)()()") == 4)
end)

case("what a fresh state has stays, what replaced it travels", function()
  assert(#pack(load "return print, math.floor, string, _VERSION, _G") < 250)
  load "function tostring(x) return 'mine' .. x end"()
  assert(remote(pack(load "return tostring(1)"), "return (...)()") == "mine1")
end)

case("the receiver's definition wins, unless it says otherwise", function()
  load "version = 1 function read() return version end"()
  local bytes = pack(read) -- luacheck: ignore
  assert(remote(bytes, "return (...)()") == 1)
  load "version = 2"()
  assert(remote(pack(read), "return (...)()") == 2) -- luacheck: ignore
  load "version = 3"()
  local f = unpack(bytes)
  assert(f() == 3)
  f = unpack(bytes, REPLACE_GLOBALS)
  assert(f() == 1)
end)

case("a global that is nil now is taken back, one that only the receiver has stays", function()
  load "going, staying = 1, nil function read() return going, staying end"()
  local before = pack(read) -- luacheck: ignore
  load "going = nil"()
  local after = pack(read) -- luacheck: ignore
  load "going, staying = 2, 3"()
  local f = unpack(after, REPLACE_GLOBALS)
  assert(f() == 2) -- no message brought it
  assert(unpack(before, REPLACE_GLOBALS)() == 1)
  assert(unpack(after)() == 1)
  local going, staying = unpack(after, REPLACE_GLOBALS)()
  assert(going == nil and staying == 3)
end)

case("a failed message sets no global", function()
  load "leak = {} function reads() return leak end"()
  local bytes = pack { reads, "end" } -- luacheck: ignore
  load "leak = nil"()
  for size = 0, #bytes - 1 do assert(unpack(bytes:sub(1, size)) == nil) end
  assert(leak == nil) -- luacheck: ignore
  assert(unpack(bytes) and leak) -- luacheck: ignore
end)

case("__unpack finds the globals that come with it", function()
  load [[
    Class = {}
    Class.__pack = function(o) return o.n end
    Class.__unpack = function(n) return setmetatable({ n = n }, Class) end
  ]]()
  local object = setmetatable({ n = 3 }, Class) -- luacheck: ignore
  assert(remote(pack(object), "return (...).n == 3 and getmetatable(...) == Class"))
end)

case("C functions and modules travel by name", function()
  local list = { print, string.format, math, string, table.unpack, _G, require, io.write }
  local back = there_and_back(list)
  for i, value in ipairs(list) do assert(back[i] == value) end
  assert(remote(pack { string.rep, table }, "return (...)[1] == string.rep and (...)[2] == table"))
  assert(#pack(string.format) < 25)
end)

case("modules are required where they are not loaded", function()
  local sample = require "sample"
  local function f() return sample.bump() end
  assert(remote(pack(f), "return (...)() == 1 and package.loaded.sample.count == 1"))
  assert(remote(pack(sample.bump), "return (...) == require('sample').bump"))
end)

case("a module loaded after names were collected goes by name", function()
  assert(pack { {}, print })
  local sample = require "sample"
  assert(there_and_back { { sample }, sample.bump }[1][1] == sample, "begun again")
end)

case("a function put into a module by a script goes by value", function()
  local sample = require "sample"
  sample.extra = load("return function() return 'extra' end", "=stdin")()
  sample.plain = load("return function() return 'plain' end", "@script.lua")()
  arg = { [0] = "script.lua" } -- luacheck: ignore
  assert(remote(pack(sample.extra), "return (...)()") == "extra")
  assert(remote(pack(sample.plain), "return (...)()") == "plain")
end)

case("a module that nothing can require goes by value", function()
  package.loaded.made_up = { f = function() return "by value" end, t = { 1 } }
  local bytes = pack(package.loaded.made_up)
  assert(remote(bytes, "return (...).f() .. (...).t[1]") == "by value1")
end)

case("a preloaded module goes by name, and its absence is told", function()
  package.preload.only_here = function() return { f = function() return 1 end } end
  local bytes = pack(require("only_here").f)
  assert(unpack(bytes) == require("only_here").f)
  local _, message = remote(bytes, "return 1")
  assert(message:find("^cannot be found by its name here: module 'only_here' not found"), message)
end)

require "named"(case, { there_and_back = there_and_back, refuses = refuses })

case("what cannot be sent is named with the way to it", function()
  refuses(coroutine.create(print), "cannot send value: coroutine")
  refuses({ { cfg = { on_done = coroutine.create(print) } } },
    "cannot send value[1].cfg.on_done: coroutine")
  refuses({ ["a b"] = { [1.5] = { [true] = io.stdout } } },
    "cannot send value[\"a b\"][1.5][true]: userdata 'FILE*'")
  refuses({ ["a\n\0\"b"] = io.stdout }, [[cannot send value["a\n\000\"b"]: userdata 'FILE*']])
  refuses({ x = { [io.stdout] = 1 } }, "cannot send value.x<key>: userdata 'FILE*'")
  refuses({ x = setmetatable({}, { __index = io.stdout }) },
    "cannot send value.x<metatable>.__index: userdata 'FILE*'")
  refuses(string.gmatch("a", "a"), "cannot send value: C function that no loaded module leads to")
  local deep = io.stdout
  for _ = 1, 100 do deep = { deep } end
  refuses(deep, "cannot send value...[1][1][1][1][1][1][1][1]: userdata 'FILE*'")
end)

case("what a function cannot bring is named with function and line", function()
  local chunk = [[
    local sock = io.stdout
    local function fetch() return sock end
    local function again(n) return n == 0 and sock or again(n - 1) end
    function outer() return fetch() end
    function global() return conn.pool[1] end
    conn = { pool = { io.stdout } }
    return fetch, again
  ]]
  local fetch, again = load(chunk, "@crawl.lua")()
  refuses(fetch, "cannot send upvalue 'sock' of function (crawl.lua:2): userdata 'FILE*'")
  refuses(again, "cannot send upvalue 'sock' of function 'again' (crawl.lua:3): userdata 'FILE*'")
  -- luacheck: push ignore outer global
  refuses(outer, "cannot send upvalue 'sock' of function 'fetch' (crawl.lua:2), " ..
    "upvalue 'fetch' of function 'outer' (crawl.lua:4): userdata 'FILE*'")
  refuses(global, "cannot send global 'conn'.pool[1] of function 'global' " ..
    "(crawl.lua:5): userdata 'FILE*'")
  -- luacheck: pop
  refuses({ jobs = { fetch } }, "cannot send upvalue 'sock' of function (crawl.lua:2), " ..
    "value.jobs[1]: userdata 'FILE*'")
end)

case("without code no function comes in, and no module is loaded", function()
  local sample = require "sample"
  for _, value in ipairs { print, function() end, { f = function() end } } do
    local _, message = unpack(pack(value), NO_CODE)
    assert(message:find("function, and code is refused", 1, true), message)
  end
  assert(unpack(pack { 1, { x = "y" } }, NO_CODE)[2].x == "y")
  assert(getmetatable(unpack(pack(sample.Point.new(1, 2)), NO_CODE)) == sample.Point)
  local bytes = pack(sample.Point.new(1, 2))
  package.loaded.sample = nil
  local _, message = unpack(bytes, NO_CODE)
  assert(message == "'sample' is not loaded, and code is refused", message)
end)

case("nonsense is refused with its place", function()
  local _, message = unpack("")
  assert(message == "bad message: truncated at byte 0", message)
  _, message = unpack("hello")
  assert(message == "bad message: unknown format at byte 0", message)
  _, message = unpack("\x91\xcd\xff\xff\xff\xff")
  assert(message:find("count beyond the message's size", 1, true), message)
  for _, bytes in ipairs { "\x91\xd6\0", "\x91\x81\xd6\7\xd4", "\x91\x81\xd7\1\0\0\0\xd4" } do
    _, message = unpack(bytes)
    assert(message and message:find("reference to nothing", 1, true), message)
  end
  _, message = unpack("\x91\xdf")
  assert(message == "bad message: unknown tag at byte 1", message)
  _, message = unpack("\x91\xce\1\0\0\0\xc0\1")
  assert(message:find("nil as a key", 1, true), message)
  _, message = unpack("\x91\xce\1\0\0\0" .. pack(0 / 0):sub(2) .. "\1")
  assert(message:find("NaN as a key", 1, true), message)
end)

case("counts that do not fit their function or list are refused", function()
  local k = 65
  local function get() return k end
  local bytes = pack { get, function() return k + 1 end }
  local function altered(from, to)
    local other, count = bytes:gsub(from, to)
    assert(count > 0)
    return (select(2, unpack(other)))
  end
  local message = altered("\1\1\0\0\0\0\xd4", "\1\1\9\0\0\0\xd4")
  assert(message:find("reference to no upvalue", 1, true), message)
  bytes = pack(get)
  message = altered("\1\0A\xd4", "\2\0A\0A\xd4")
  assert(message:find("function with other upvalues", 1, true), message)
  bytes = pack { 1, 2, 3, 4, 5, 6, 7, 8 }
  message = altered("\x88\xcf\8\0", "\x87\xcf\8\0")
  assert(message:find("run beyond its list", 1, true), message)
end)

-- What codec_spec.c truncates, damages and starves of memory.
local function messages()
  local shared, counter = { 1 }, 0
  local function count() counter = counter + 1 return counter, shared end
  local list = {
    1, 200, -70000, 1.5, "abc", ("long "):rep(80), { 1, 2, 3 }, { x = 1, y = 2, s = "abc" },
    { shared, shared, { shared } }, { count, function() return counter end, print, string },
    setmetatable({ 1 }, { __index = shared }), require("sample").Point.new(1, 2),
    setmetatable({ value = shared }, require("sample").Packed), { [shared] = { [2.5] = {} } },
    { require("deep").a.b.c.f, require("deep").a.b.Point.new(1), require("deep").tripler(2) },
  }
  shared.self = list[11]
  local ints, floats, deep = {}, {}, {}
  for i = 1, 30 do ints[i], floats[i], deep = i * 1000, i / 7, { deep, i } end
  load "function uses() return given.x, #given end given = { x = 1 }"()
  for _, value in ipairs { ints, floats, deep, uses } do -- luacheck: ignore
    list[#list + 1] = value
  end
  math.randomseed(7)
  while #list < 100 do list[#list + 1] = graph.random(math.random, math.random(1, 8)) end
  return list
end

return { cases = cases, order = order, messages = messages }
