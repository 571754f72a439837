-- Cases of what travels by the way there from a loaded module, through inner tables; see cases.lua.
return function(case, tools)
  local pack, unpack, remote = pack, unpack, remote -- luacheck: ignore
  local there_and_back, refuses = tools.there_and_back, tools.refuses
  local DIR = package.path:match "^(.-)%?"

  -- A function, or whatever the text returns, of a file of that name.
  local function from_file(name, text)
    return assert(load(text, "@" .. DIR .. name .. ".lua"))()
  end

  -- A module as it would be in that file; only the file itself has to be there.
  local function reload(text)
    package.loaded.deep = from_file("deep", text)
    return package.loaded.deep
  end

  case("functions in inner tables travel by name, up to four fields deep", function()
    local deep = require "deep"
    local list = { deep.a.f, deep.a.b.f, deep.a.b.c.f, deep.posix.seek, deep.posix.sub.setvbuf }
    local back = there_and_back(list)
    for i, f in ipairs(list) do assert(back[i] == f, i) end
    assert(#pack(deep.a.b.c.f) == 17, "names, and nothing else")
    assert(remote(pack(deep.a.b.c.f), "return (...) == require('deep').a.b.c.f and (...)() == 'a.b.c.f'"))
    assert(remote(pack(deep.posix.sub.setvbuf), "return (...) == require('deep').posix.sub.setvbuf"))
    local below = there_and_back(deep.a.b.c.d.f)
    assert(below ~= deep.a.b.c.d.f and below() == "too deep")
  end)

  case("a class in an inner table keeps its identity, and so do its methods", function()
    local deep = require "deep"
    local Point = deep.a.b.Point
    local back = there_and_back { Point.new(4), Point.double, Point, deep.tripler(5), deep.a.b, deep.meta.weak }
    assert(getmetatable(back[1]) == Point and back[1]:double() == 8)
    assert(back[2] == Point.double and back[3] == Point)
    assert(getmetatable(back[4]) == deep.meta.tripler and back[4]:triple() == 15)
    assert(back[5] ~= deep.a.b, "a mere inner table is data")
    assert(back[6] ~= deep.meta.weak and back[6].__mode == "k", "nothing shows whose it is")
    assert(remote(pack(Point.new(4)), "return getmetatable(...) == require('deep').a.b.Point and (...):double()") == 8)
    assert(remote(pack(deep.tripler(5)), "return (...):triple()") == 15)
  end)

  case("the shortest way is the name, whatever the order of the keys", function()
    for i = 1, 50 do
      local deep = reload(([[
        local function f() end
        return { x%d = { y = { z = f } }, m%d = { f = f }, k%d = { y = { z = f } } }
      ]]):format(i, i, i))
      local bytes = pack(deep["m" .. i].f)
      assert(bytes:find("m" .. i, 1, true), bytes)
    end
  end)

  case("what others put into an inner table goes by value", function()
    local deep = require "deep"
    deep.handlers.other = from_file("other", "return function() return 'other' end")
    deep.handlers.typed = load("return function() return 'typed' end", "=stdin")()
    deep.handlers.Class = from_file("other", "return { __index = { f = function() return 'of it' end } }")
    string.inner = { f = deep.handlers.other } -- luacheck: ignore
    local object = setmetatable({}, deep.handlers.Class)
    assert(pack { print, deep.a.f })
    assert(remote(pack(deep.handlers.other), "return (...)()") == "other")
    assert(remote(pack(deep.handlers.typed), "return (...)()") == "typed")
    assert(remote(pack(string.inner.f), "return (...)()") == "other") -- luacheck: ignore
    assert(remote(pack(object), "return (...).f()") == "of it")
  end)

  case("a script's class that its library keeps by name goes by value", function()
    local lib = reload [[
      local lib = { classes = {}, made = {} }
      function lib.class(name)
        local class = { __index = {} }
        function class.new(x) return setmetatable({ x = x }, class) end
        lib.classes[name] = class
        return class
      end
      function lib.made.f() end
      lib.class "Own"
      return lib
    ]]
    local Class = load([[
      local Class = (...).class "Mine"
      function Class.__index:get() return self.x end
      return Class
    ]], "=stdin")(lib)
    assert(there_and_back(lib.made.f) == lib.made.f)
    assert(remote(pack(Class.new(7)), "return (...):get()") == 7)
    local Own = lib.classes.Own
    assert(getmetatable(there_and_back(Own.new(1))) == Own)
  end)

  case("an iterator or coroutine in an inner table is refused in the sender", function()
    local deep = require "deep"
    deep.cache.words, deep.cache.gen = string.gmatch("a b", "%a"), coroutine.wrap(print)
    load "job = { words = string.gmatch('a', 'a') }"()
    for _, f in ipairs { deep.cache.words, deep.cache.gen, job.words } do -- luacheck: ignore
      refuses(f, "cannot send value: C function that no loaded module leads to")
    end
  end)

  case("C functions are found in tables of globals and of modules that nothing can require", function()
    local file = getmetatable(io.stdout).__index
    load "host = { api = { seek = ... } }"(file.seek)
    assert(there_and_back(file.seek) == file.seek)
    local bytes = pack(file.seek)
    assert(remote(bytes, "return 1") == nil)
    local _, message = remote(bytes, "return 1")
    assert(message == "module '_G' has no function 'host.api.seek' here", message)
    package.loaded.made_up = { inner = { lines = file.lines, f = function() return "value" end } }
    assert(there_and_back(file.lines) == file.lines)
    assert(remote(pack(package.loaded.made_up.inner.f), "return (...)()") == "value")
  end)

  case("a module's inner table that another has, too, is walked for both", function()
    local deep = require "deep"
    for i = 1, 50 do package.loaded["made_up" .. i] = { inner = deep.a } end
    assert(there_and_back(deep.a.b.f) == deep.a.b.f)
    assert(remote(pack(deep.a.b.f), "return (...)()") == "a.b.f")
  end)

  case("what a name does not lead to any more goes by value, a C function by the name it had", function()
    local deep = require "deep"
    local f, seek, Point = deep.a.b.f, deep.posix.seek, deep.a.b.Point
    local point = Point.new(1)
    assert(there_and_back(f) == f)
    deep.a.b.f = function() return "wrapped " .. f() end
    assert(there_and_back(f) ~= f and there_and_back(deep.a.b.f)() == "wrapped a.b.f")
    assert(remote(pack(deep.a.b.f), "return (...)()") == "wrapped a.b.f")
    deep.a.b.f = f
    package.loaded.new = {} -- names are collected anew
    assert(pack { print, string.rep, f } and there_and_back(f) == f)
    deep.a = { b = deep.a.b } -- the way there is another, its end is not
    assert(there_and_back(f) == f)
    deep.a = 1
    local back = there_and_back(point)
    assert(getmetatable(back) ~= Point and back:double() == 2)
    deep.posix.seek = print
    for i = 1, 3 do
      package.loaded["newer" .. i] = {}
      assert(remote(pack { f, seek }, "return (...)[2] == require('deep').posix.seek"))
    end
  end)

  case("a wrapped function of a module's own fields does not find itself", function()
    local sample = require "sample"
    local bump = sample.bump
    assert(there_and_back(bump) == bump)
    sample.bump = load("local bump = ... return function() return bump() + 100 end", "=stdin")(bump)
    assert(there_and_back(sample.bump)() == 101)
    package.loaded.sample = nil
    local Point = sample.Point
    assert(getmetatable(there_and_back(Point.new(1, 2))) ~= Point, "the module is another now")
  end)

  case("a module with a million records costs little, and its functions before them are found", function()
    local deep = reload [[
      local deep = { words = {}, list = {}, api = { inner = { f = function() end } } }
      for i = 1, 1000000 do deep.list[i] = { i } end
      for i = 1, 100000 do deep.words["word" .. i] = { n = i } end
      return deep
    ]]
    collectgarbage()
    local clock = os.clock()
    for i = 1, 20 do
      package.loaded["new" .. i] = {}
      assert(pack { print, load "return 1" })
    end
    local each = (os.clock() - clock) / 20
    assert(there_and_back(deep.api.inner.f) == deep.api.inner.f)
    assert(each < 0.1, each)
  end)

  case("inner tables without end are walked in time", function()
    local deep = reload [[
      local deep = { api = { f = function() end } }
      local function fill(t, depth)
        for i = 1, 9 do t["k" .. i] = depth > 0 and fill({ all = deep, up = t }, depth - 1) or t end
        return t
      end
      return fill(deep, 4)
    ]]
    assert(there_and_back(deep.api.f) == deep.api.f)
  end)

  case("no metamethod runs while names are collected or looked at", function()
    local function touched() error "touched" end
    local deep = reload [[
      local trap = ...
      local function guarded(t) return setmetatable(t, trap) end
      return guarded { inner = guarded { f = function() return 1 end } }
    ]]
    local trap = { __index = touched, __pairs = touched, __len = touched, __newindex = touched, __eq = touched }
    setmetatable(deep, trap)
    setmetatable(deep.inner, trap)
    assert(there_and_back(deep.inner.f) == deep.inner.f)
  end)

  case("a way that is not there is told, with all of it", function()
    package.preload.only_here = function() return { a = { b = { f = function() end } } } end
    local deep = reload [[ return { a = { gone = { f = function() end } }, x = { y = { f = print } } } ]]
    local bytes = pack(deep.a.gone.f)
    local _, message = remote(bytes, "return 1")
    assert(message == "module 'deep' has no function 'a.gone.f' here", message)
    _, message = remote(bytes, "return 1")
    assert(message == "module 'deep' has no function 'a.gone.f' here", message)
    deep.a.gone.f = 5
    _, message = unpack(bytes)
    assert(message == "module 'deep' has no function 'a.gone.f' here", message)
    deep.a.gone = "a string"
    _, message = unpack(bytes)
    assert(message == "module 'deep' has no function 'a.gone.f' here", message)
    for _, odd in ipairs { "\x80", "\x81\xa1a", "\x85\xa1a\xa1a\xa1a\xa1a\xa1a", "\x82\xa1a\xc0", "\x82\xa1a\x01" } do
      _, message = unpack("\x91\xdct\xa4deep" .. odd)
      assert(message:find("bad message: name ", 1, true), message)
    end
    _, message = unpack "\x91\xdct\xa4deep\x82\xa1a"
    assert(message:find("bad message: truncated", 1, true), message)
    _, message = unpack("\x91\xdct\xa4deep\x82\xa1a\xa1q", 1)
    assert(message == "'deep' is not loaded, and code is refused", message)
  end)

  case("a receiver that makes its inner tables when they are asked for is asked", function()
    local deep = reload [[ return { lazy = { inner = { f = function() end } } } ]]
    local bytes = pack(deep.lazy.inner.f)
    setmetatable(deep, { __index = function(t, key) return rawget(t, "_" .. key) end })
    deep._lazy, deep.lazy = deep.lazy, nil
    assert(unpack(bytes) == deep._lazy.inner.f)
  end)

  case("a global that is a module's inner table is not taken for Lua's own of that name", function()
    local deep = reload [[ return { compat = { utf8 = { __name = "utf8", f = function() return "mine" end } } } ]]
    utf8 = deep.compat.utf8 -- luacheck: ignore
    local bytes = pack(load "return utf8.f()")
    package.loaded.deep = nil
    local _, message = remote(bytes, "return 1")
    assert(message == "module 'deep' has no table 'compat.utf8' here", message)
  end)

  case("a module under two names goes by the one that is Lua's, can be required, is shorter", function()
    local deep = require "deep"
    for k = 1, 20 do
      local alias = ("x"):rep(k % 3) .. k
      package.loaded[alias] = deep
      local bytes = pack { deep.a.f, deep }
      package.loaded[alias] = nil
      assert(not bytes:find(alias, 1, true) and bytes:find("deep", 1, true), alias)
    end
    local sample = package.loaded.sample -- that file is there, too
    package.loaded.sample, package.loaded.s = deep, string
    local bytes, lua = pack(deep.a.f), pack(string.rep)
    package.loaded.sample, package.loaded.s = sample, nil
    assert(bytes:find("deep", 1, true) and not bytes:find("sample", 1, true))
    assert(lua:find("string", 1, true))
  end)

  case("a module that came since the last message is found before what it holds is refused", function()
    local before = package.loaded.deep
    package.loaded.deep = nil
    pack(function() end) -- names are collected
    local module = reload "return { f = function() return 1 end }"
    module.light = debug.upvalueid(function() return module end, 1)
    local list = { { module }, module, function() return module end }
    for k, v in ipairs(list) do assert(pcall(pack, v), k) end
    module.light = nil
    package.loaded.deep = before
  end)

  case("an iterator that Lua's functions made has no name, wherever it stands", function()
    local file = assert(io.open("/dev/null"))
    local what = ": C function that no loaded module leads to"
    for _, made in ipairs { string.gmatch("a b", "%a"), coroutine.wrap(print), file:lines() } do
      made_global, string.made = made, made -- luacheck: ignore
      refuses(made, "cannot send value" .. what)
      local user = assert(load("return made_global()", "=user"))
      refuses(user, 'cannot send global \'made_global\' of main chunk (user)' .. what)
      made_global, string.made = nil, nil -- luacheck: ignore
    end
    file:close()
  end)

  case("a script's function in one of Lua's own modules goes as code", function()
    string.spec_trim = assert(load("return function(s) return s:match '^%s*(.-)%s*$' end", "=script"))() -- luacheck: ignore
    local bytes = pack(string.spec_trim) -- luacheck: ignore
    string.spec_trim = nil -- luacheck: ignore
    assert(remote(bytes, "return (...)(' x ') == 'x'"))
  end)

  case("a global whose name is a very late constant is found", function()
    local code = { "local t = {" }
    for k = 1, 131080 do code[#code + 1] = "'c" .. k .. "'," end
    code[#code + 1] = "} return late_global, #t"
    late_global = 7 -- luacheck: ignore
    local bytes = pack(assert(load(table.concat(code))))
    late_global = nil -- luacheck: ignore
    assert(remote(bytes, "return (...)() == 7"))
  end)
end
