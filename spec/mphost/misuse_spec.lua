-- Every public function of every noun with every wrong kind of argument: an error at the caller's line that names the
-- problem, and the object works as before. A method that is not in the table fails the spec: new nouns add themselves.
local mp = require "mphost"
local helper = require "support.helper"
local tool = require "mphost.tool"

-- What an argument may be: a good one, and some that must raise. "?" after the name: nil is good as well.
local nop = function() end
local NOT_NUMBERS = { "x", {}, true, nop, io.stdout }
local KINDS = {
  any = { good = 1, bad = {} },
  thing = { good = 1, bad = { coroutine.create(nop), io.stdout } },
  integer = { good = 1, bad = { 1.5, 1e308, "x", {}, true, nop } },
  number = { good = 1, bad = NOT_NUMBERS },
  timeout = { good = 0, bad = NOT_NUMBERS, fine = { -1, -math.huge, math.mininteger } },
  count = { good = 1, bad = { 0, -1, math.mininteger, 1.5, 1e308, 0 / 0, "x", {}, true, nop } },
  natural = { good = 1, bad = { -1, math.mininteger, 1.5, 1e308, 0 / 0, "x", {}, true, nop } },
  list = { good = { 1 }, bad = { 1, "x", true, nop } },
  items = { good = { 1 }, bad = { 1, "x", true } }, -- a list or an iterator
  key = { good = "k", bad = { {}, nop, 0 / 0, io.stdout } },
  callable = { good = nop, bad = { 1, "x", {}, true } },
  options = { good = {}, bad = { { nonsense = 1 }, { chunk = "x" }, { chunk = 0 }, { chunk = -1 }, { retries = -1 },
    { retries = 0.5 }, { on_error = "x" }, { on_error = 1 }, 1, "x", true } },
}

local function queue_with_two()
  local q = mp.Queue()
  q:put(1)
  q:put(1)
  return q
end

-- class: how one is made, its methods with their arguments, what an end looks like, and whether it still works.
local NOUNS = {
  Queue = {
    make = queue_with_two,
    works = function(q) return q:put(5) and #q > 0 and q:get(0) ~= nil end,
    methods = {
      put = { "thing", "timeout" }, try_put = { "thing" }, get = { "timeout" }, try_get = {},
      put_many = { "list", "timeout" }, get_many = { "count", "timeout" }, close = {}, empty = {}, full = {},
      task_done = {}, wait_done = { "timeout" }, iter = {}, _ready = {},
    },
  },
  Value = {
    make = function() return mp.Value("i", 0) end,
    works = function(v) v:add(1) return math.type(v.value) == "integer" end,
    methods = {
      add = { "integer" }, sub = { "integer" }, max = { "integer" }, min = { "integer" }, band = { "integer" },
      bor = { "integer" }, bxor = { "integer" }, swap = { "integer" }, cas = { "integer", "integer" },
      update = { "callable" }, wait = { "integer", "timeout" }, notify = {}, close = {},
    },
  },
  Connection = {
    make = function()
      local a, b = mp.Pipe()
      a:send(1)
      b:send(1)
      return a, b
    end,
    works = function(a) return a:send(1) and a:poll() ~= nil end,
    methods = { send = { "thing" }, recv = { "timeout" }, poll = { "timeout" }, close = {}, readable = {},
      writable = {}, is_closed = {}, _ready = {} },
  },
  Dict = {
    make = function() return mp.Dict { k = 1 } end,
    works = function(d) return #d >= 0 and d:set("w", 1) == nil and d:get "w" == 1 end,
    methods = {
      get = { "key" }, set = { "key", "thing?" }, add = { "key", "number" }, update = { "key", "callable" },
      delete = { "key" }, has = { "key" }, swap = { "key", "thing?" }, cas = { "key", "any", "any" }, keys = {},
      clear = {},
    },
  },
  Lock = {
    make = mp.Lock,
    works = function(l) if l:locked() then l:release() end return l:acquire(0) == l and l:release() == nil end,
    methods = { acquire = { "timeout" }, release = {}, locked = {}, with = { "callable" }, close = {} },
  },
  Semaphore = {
    make = function() return mp.Semaphore(9) end,
    works = function(s) return s:acquire(0) == s and s:release() == nil and s:get_value() >= 9 end,
    methods = { acquire = { "timeout" }, release = { "count?" }, get_value = {}, with = { "callable" }, close = {} },
  },
  BoundedSemaphore = {
    make = function() return mp.BoundedSemaphore(9) end,
    works = function(s) return s:acquire(0) == s and s:release() == nil end,
    methods = { acquire = { "timeout" }, release = { "count?" }, get_value = {}, with = { "callable" }, close = {} },
  },
  Event = {
    make = mp.Event,
    works = function(e) e:set() return e:is_set() and e:wait() end,
    methods = { set = {}, clear = {}, is_set = {}, wait = { "timeout" }, close = {} },
  },
  Condition = {
    make = function() return mp.Condition():acquire() end,
    works = function(c) return c:notify() == 0 end,
    methods = { acquire = { "timeout" }, release = {}, locked = {}, with = { "callable" }, wait = { "timeout" },
      wait_for = { "callable", "timeout" }, notify = { "natural?" }, notify_all = {}, close = {} },
  },
  Barrier = {
    make = function() return mp.Barrier(1) end,
    works = function(b) b:reset() return b:wait() == 1 end,
    methods = { wait = { "timeout" }, abort = {}, reset = {}, close = {} },
  },
  Pool = {
    make = function() return mp.Pool(0) end,
    works = function(pool) return pool:map(function(x) return x end, { 7 })[1] == 7 end,
    methods = {
      map = { "callable", "items", "options?" }, starmap = { "callable", "items", "options?" }, apply = { "callable" },
      each = { "callable", "items", "options?" }, imap = { "callable", "items", "options?" },
      imap_unordered = { "callable", "items", "options?" }, any = { "callable", "items", "options?" },
      all = { "callable", "items", "options?" }, first = { "callable", "items", "options?" },
      reduce = { "callable", "callable", "items" }, submit = { "callable" }, apply_async = { "callable" },
      map_async = { "callable", "items", "options?" }, starmap_async = { "callable", "items", "options?" },
      stats = {}, close = {}, terminate = {}, join = {},
    },
    alone = { join = true }, -- only after close
  },
  Process = {
    make = function() return mp.Process(nop) end,
    works = function(p) return p.name and not p:is_alive() end,
    methods = { start = {}, join = { "timeout" }, result = { "timeout" }, is_alive = {}, status = {}, terminate = {},
      kill = {}, interrupt = {}, close = {} },
    started = true,
  },
}

local CONSTRUCTORS = {
  Queue = { { "x" }, { 0 }, { -1 }, { 1.5 }, { math.maxinteger }, { math.mininteger }, { 1e308 }, { true },
    { { size = 1 } },
    { { capacity = "x" } }, { { capacity = -1 } }, { { redeliver = 1 } } },
  Value = { {}, { 1 }, { "x" }, { "" }, { "ii" }, { "\0" }, { "i", "x" }, { "i", 1.5 }, { "i", 1 << 31 }, { "b", 128 },
    { "B", -1 }, { "?", 1 }, { "d", {} }, { {} }, { "i", 1e308 }, { "i", true }, { { init = 1 } },
    { { type = "i", int = 1 } }, { { type = "i" }, 1 }, { { type = "i", init = {} } }, { { type = "b", init = 128 } } },
  Pipe = { { 1 }, { "x" }, { { duplx = true } }, { { duplex = 1 } }, { {}, 1 } },
  Array = { {}, { 1 }, { {} }, { { n = 2 } }, { { type = "i" } }, { { type = "i", m = 2 } },
    { { type = "i", n = true } }, { { type = "i", n = 2 }, 2 }, { { type = 1, n = 2 } }, { { type = "x", n = 2 } } },
  map_file = { {}, { 1 }, { {} }, { { mode = "r" } }, { { path = 1 } }, { { path = "x", mod = "r" } },
    { { path = "x", mode = 1 } }, { { path = "x", size = -1 } }, { { path = "x" }, 5 },
    { { path = "x", mode = "q" } } },
  Lock = { { 1 }, { { nam = 1 } }, { {} } },
  RLock = { { 5 }, { {} } },
  Event = { { true }, { {} } },
  Process = { {}, { 1 }, { "x" }, { {} }, { { target = 1 } }, { { target = nop, args = 1 } },
    { { target = nop, args = { n = "1" } } }, { { target = nop, args = { n = -1 } } },
    { { target = nop, nme = "x" } },
    { { target = nop, name = 1 } }, { { target = nop, daemon = 1 } } },
  spawn = { {}, { 1 }, { {} } },
  Pool = { { -1 }, { 1.5 }, { "x" }, { true }, { { workers = -1 } }, { { workers = "x" } }, { { workers = 0.5 } },
    { { wrkers = 1 } }, { { init = 1 } }, { { exit = "x" } }, { { retries = -1 } }, { { name = 1 } },
    { { retries = 1.5 } }, { { nice = 100 } }, { { nice = -21 } }, { { nice = 0.5 } } },
  Semaphore = { { "x" }, { -1 }, { 1.5 }, { 1 << 31 }, { true }, { { value = "x" } }, { { n = 1 } } },
  BoundedSemaphore = { { "x" }, { 0 }, { -1 }, { 1.5 }, { 65537 }, { true }, { { value = -1 } }, { { n = 1 } } },
  Condition = { { 1 }, { "x" }, { { lok = 1 } }, { { lock = 1 } }, { { lock = mp.null } }, { nop }, { true } },
  Barrier = { {}, { 0 }, { -1 }, { 1.5 }, { 10001 }, { "x" }, { 1, 1 }, { 1, {} }, { 1, nop, "x" }, { 1, nop, {} },
    { {} }, { { parties = "x" } }, { { parties = 1, action = 1 } }, { { partys = 1 } } },
  wait = { {}, { 1 }, { { 1 } }, { { {} } }, { { nop } }, { { mp.null } }, { {}, "x" } },
  sleep = { {}, { "x" }, { {} }, { 0 / 0 }, { -1 } },
  as_completed = { {}, { 1 }, { { 1 } }, { { {} } }, { { nop } }, { { mp.null } }, { {}, "x" }, { {}, 0 / 0 } },
  range = { {}, { 1 }, { "x", 1 }, { 1, "x" }, { 1, 2, "x" }, { 1, 2, 0 }, { 1, 0 / 0 }, { math.mininteger, 0 } },
}

local HERE = debug.getinfo(1, "S").short_src

-- Calls f with the arguments from a line of its own: nil if it raised at that line, else what is wrong.
local function complaint(what, f, ...)
  local args = table.pack(...)
  local line
  local ok, err = pcall(function()
    line = debug.getinfo(1, "l").currentline + 1
    local _ = f(table.unpack(args, 1, args.n))
  end)
  if ok then return what .. ": no error" end
  local start = ("%s:%d: "):format(HERE, line)
  if type(err) ~= "string" then return ("%s: an error that is a %s"):format(what, type(err)) end
  if err:sub(1, #start) ~= start then return ("%s: not at the caller's line: %s"):format(what, err) end
  if #err < #start + 5 then return what .. ": no message" end
end

local function show(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local function split(kind)
  local name, optional = kind:match "^(%a+)(%??)$"
  return KINDS[name], optional == "?"
end

local function good_arguments(kinds)
  local args = { n = #kinds }
  for i, kind in ipairs(kinds) do args[i] = split(kind).good end
  return args
end

local function each_wrong_argument(noun, method, kinds, check)
  for at, kind in ipairs(kinds) do
    local what, optional = split(kind)
    for i = (optional or what == KINDS.any or what == KINDS.timeout) and 1 or 0, #what.bad do
      local bad = what.bad[i] -- 0: nil
      local args = good_arguments(kinds)
      args[at] = bad
      check(("%s:%s #%d = %s"):format(noun, method, at, show(bad)), args)
    end
  end
end

local function no(complaints)
  assert.equal("", table.concat(complaints, "\n"))
end

describe("Misuse", function()
  for noun, it_has in pairs(NOUNS) do
    it("of " .. noun .. ": wrong arguments of every method", function()
      helper.deadline(30)
      local complaints = {}
      local object <close>, other = it_has.make()
      if it_has.started then object:start() end
      for method, kinds in pairs(it_has.methods) do
        each_wrong_argument(noun, method, kinds, function(what, args)
          complaints[#complaints + 1] = complaint(what, object[method], object, table.unpack(args, 1, args.n))
        end)
        if not it_has.started and not it_has.works(object) then
          complaints[#complaints + 1] = method .. ": broken since"
        end
      end
      if other then other:close() end
      no(complaints)
    end)

    it("of " .. noun .. ": timeouts that have passed", function()
      local complaints = {}
      for method, kinds in pairs(it_has.methods) do
        for at, kind in ipairs(kinds) do
          for _, fine in ipairs(split(kind).fine or {}) do
            local object <close>, other = it_has.make()
            if it_has.started then object:start() end
            local args = good_arguments(kinds)
            args[at] = fine
            local ok, err = pcall(object[method], object, table.unpack(args, 1, args.n))
            if not ok then complaints[#complaints + 1] = ("%s(%s): %s"):format(method, fine, err) end
            if noun == "Condition" then object:close() end -- acquire has taken it a second time
            if other then other:close() end
          end
        end
      end
      no(complaints)
    end)

    it("of " .. noun .. ": methods of something else", function()
      local complaints = {}
      local object <close>, other = it_has.make()
      for method, kinds in pairs(it_has.methods) do
        local args, f = good_arguments(kinds), object[method]
        for _, self in ipairs { false, 1, "x", {}, nop, io.stdout, mp.null, mp.Queue, mp.Value "i" } do
          if type(self) ~= "userdata" or getmetatable(self) ~= getmetatable(object) then
            local ok = pcall(f, self or nil, table.unpack(args, 1, args.n))
            if ok then complaints[#complaints + 1] = ("%s.%s(%s): no error"):format(noun, method, show(self)) end
          end
        end
      end
      if other then other:close() end
      no(complaints)
    end)

    it("of " .. noun .. ": all methods are in the table", function()
      local object <close>, other = it_has.make()
      local meta = debug.getmetatable(object)
      local methods = meta.__index
      for i = 1, 9 do -- the methods are an upvalue where a function looks them up
        if type(methods) == "table" then break end
        local _, value = debug.getupvalue(meta.__index, i)
        if type(value) == "table" and (value.close or value.add) then methods = value end
      end
      for name, f in pairs(methods) do
        local is_own = name:sub(1, 1) == "_"
        if type(f) == "function" and not is_own then assert.is_table(it_has.methods[name], noun .. ":" .. name) end
      end
      for name in pairs(it_has.methods) do assert.is_function(methods[name], noun .. ":" .. name) end
      if other then other:close() end
    end)
  end

  it("of closed handles: every method says so", function()
    local complaints = {}
    for _, noun in ipairs { "Queue", "Value", "Connection" } do
      local object, other = NOUNS[noun].make()
      getmetatable(object).__close(object)
      for method, kinds in pairs(NOUNS[noun].methods) do
        local is_quiet = noun ~= "Queue" and (method == "close" or method == "is_closed")
        if not is_quiet then
          local args, f = good_arguments(kinds), method
          local what = noun .. ":" .. method .. " on a closed handle"
          complaints[#complaints + 1] = complaint(what, function(...)
            return getmetatable(object).__index and object[f](object, ...)
          end, table.unpack(args, 1, args.n)) and (function()
            local ok, err = pcall(object[f], object, table.unpack(args, 1, args.n))
            if ok then return what .. ": no error" end
            if not tostring(err):find "closed" then return what .. ": " .. tostring(err) end
          end)()
        end
      end
      assert.is_truthy(tostring(object):find "closed")
      getmetatable(object).__close(object) -- again does nothing
      if other then other:close() end
    end
    no(complaints)
  end)

  it("of a call's argument: names which cannot be sent", function()
    local held, many = io.stdout, table.pack(table.unpack({}, 1, 300))
    many[300] = held
    for _, workers in ipairs { 0, 1 } do
      local pool <close> = mp.Pool(workers)
      for _, method in ipairs { "apply", "submit", "apply_async" } do
        local function says(words, ...)
          local args = table.pack(...)
          tool.raises("cannot send " .. words, function() pool[method](pool, nop, table.unpack(args, 1, args.n)) end)
        end
        says("argument 2: coroutine", 1, coroutine.create(nop))
        says("argument 3.a[2]: userdata 'FILE*'", nil, nil, { a = { 1, held } })
        says("argument 1<metatable>.__index: userdata 'FILE*'", setmetatable({}, { __index = held }))
        says("argument 300: userdata 'FILE*'", table.unpack(many, 1, 300))
        says("argument 2: userdata 'FILE*'", ("x"):rep(1e5), held)
        says("upvalue 'held' of function (" .. HERE, function() return held end)
        local _, err = pcall(pool[method], pool, nop, 1, function() return held end)
        assert.truthy(err:find("), argument 2: userdata 'FILE*'", 1, true), err)
      end
    end
  end)

  it("of Lua's stack: values that it has room for arrive, more are an error of the call", function()
    helper.deadline(60)
    local pack, unpack = table.pack, table.unpack
    local function check(n, list) assert.same({ n, n }, { list.n, list[list.n] }) end
    local function numbers(n)
      local list = {}
      for i = 1, n do list[i] = i end
      return unpack(list)
    end
    local function below(depth, f) -- with little stack left
      if depth == 0 then return f() end
      return (below(depth - 1, f))
    end
    for _, workers in ipairs { 0, 1 } do
      local pool <close> = mp.Pool(workers)
      pool:apply(nop)
      for _, n in ipairs { 200, 201, 1000, 1001, 250000, 900000 } do
        check(n, pack(pool:apply(numbers, n)))
        check(n, pack(pool:submit(numbers, n):get()))
        check(n, pack(pool:submit(numbers, n):get(30)))
        assert.same({ 1, n = 1 }, pool:map(numbers, { n }))
      end
      for _, n in ipairs { 250000, 400000 } do
        assert.equal(n, pool:apply(select, "#", numbers(n)))
        assert.equal(n, pool:submit(select, "#", numbers(n)):get())
        local list = pack("#", numbers(n))
        assert.same({ n, n = 1 }, pool:starmap(select, { list }))
      end
      local got = pool:submit(numbers, 900000)
      for what, f in pairs {
        apply = workers > 0 and function() local _ = pool:apply(numbers, 900000) end or nil,
        get = function() local _ = got:get() end,
      } do
        local ok, err = pcall(below, 40000, f)
        assert.is_false(ok)
        assert.matches("misuse_spec.lua:%d+: 900000 results, and Lua's stack has no room for so many$", err, 1, what)
      end
      assert.equal("too many arguments", tool.error_of(pool.starmap, pool, nop, { { n = 1 << 40 } }).message)
      assert.equal(1, pool:apply(numbers, 1))
    end
    local p <close> = mp.spawn(numbers, 900000)
    check(900000, pack(p:result()))
    assert.is_false((pcall(below, 40000, function() local _ = p:result() end)))
  end)

  it("is not what a table of named options is", function()
    local v, a <close> = mp.Value { type = "i", init = 2 }, mp.Array { type = "i", n = 2 }
    assert.same({ 2, 2 }, { v.value, #a })
    assert.is_true(mp.Value { type = "?", init = true }.value)
    assert.equal(0, mp.Value { type = "d" }.value)
    assert.same({ 4, 5 }, mp.Array { type = "i", n = { 4, 5 } }:get())
    local path = tool.file "hello"
    local m <close> = mp.map_file { path = path, mode = "r" }
    local part <close> = mp.map_file { path = path, size = 2 }
    assert.same({ "hello", "he" }, { m:sub(), part:sub() })
    os.remove(path)
    local both, way = { mp.Pipe { duplex = true } }, (mp.Pipe { duplex = false })
    assert.same({ true, true }, { both[1]:readable(), both[1]:writable() })
    assert.same({ true, false }, { way:readable(), way:writable() })
    assert.same({ true, true }, { mp.Pipe({}):readable(), mp.Pipe({}):writable() })
    local lock = mp.Lock()
    local c = mp.Condition { lock = lock }
    lock:acquire()
    assert.is_true(c:locked())
    lock:release()
    assert.is_false(mp.Condition {}:locked())
    for _, each in ipairs { { mp.Value, { type = "i", int = 1 }, "'init'" }, { mp.Array, { typ = "i" }, "'type'" },
      { mp.Pipe, { dplex = true }, "'duplex'" }, { mp.Condition, { look = lock }, "'lock'" },
      { mp.map_file, { path = "x", mdoe = "r" }, "'mode'" } } do
      local _, err = pcall(each[1], each[2])
      assert.truthy(tostring(err):find("did you mean " .. each[3], 1, true), err)
    end
    local _, err = pcall(function() local _ = mp.Lock { nam = 1 } end)
    assert.matches(": bad argument #1 to 'Lock' %(no argument expected%)$", err)
  end)

  for name, cases in pairs(CONSTRUCTORS) do
    it("of mp." .. name, function()
      local complaints = {}
      for _, args in ipairs(cases) do
        local shown = {}
        for i, arg in ipairs(args) do shown[i] = show(arg) end
        complaints[#complaints + 1] = complaint(("%s(%s)"):format(name, table.concat(shown, ", ")), mp[name],
          table.unpack(args))
      end
      no(complaints)
    end)
  end
end)
