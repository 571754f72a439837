-- How far a call is: told to a function, drawn on a terminal.
local mp = require "mphost"
local helper = require "support.helper"
local progress = require "mphost.progress"
local screen = require "support.screen"
local tool = require "mphost.tool"

local raises = tool.raises

local function slow(x)
  mp.sleep(0.02)
  return x
end

local function iterator(n)
  local i = 0
  return function()
    i = i + 1
    return i <= n and i or nil
  end
end

-- A function for the option, and what it was told.
local function listener()
  local told = {}
  return function(done, total, failed)
    told[#told + 1] = { done = done, total = total, failed = failed, at = mp.clock() }
  end, told
end

local function check(told, n, total)
  assert.is_true(#told >= 2, tostring(#told))
  local before = { done = 0, at = -math.huge }
  for i, now in ipairs(told) do
    assert.is_true(now.done >= before.done and now.done <= n)
    if i < #told then assert.is_true(now.at - before.at >= 0.099) end
    assert.equal(total, now.total)
    before = now
  end
  assert.equal(n, before.done)
end

describe("The option progress", function()
  it("tells a function, at most ten times a second and at the end", function()
    local pool <close> = mp.Pool(2)
    for _, method in ipairs { "map", "each", "imap", "imap_unordered" } do
      local f, told = listener()
      local options = { progress = f, chunk = 1 }
      if method:find "imap" then
        for _ in pool[method](pool, slow, mp.range(1, 30), options) do end -- luacheck: ignore
      else
        pool[method](pool, slow, mp.range(1, 30), options)
      end
      check(told, 30, 30)
      assert.is_true(#told <= 12, tostring(#told))
    end
  end)

  it("tells it at the end of what ends early, too", function()
    local pool <close> = mp.Pool(2)
    local function is_5(x) return x == 5 end
    local function is_not_5(x) return x ~= 5 end
    for method, f in pairs { any = is_5, first = is_5, all = is_not_5 } do
      local tell, told = listener()
      pool[method](pool, f, mp.range(1, 10), { chunk = 1, progress = tell })
      assert.equal(1, #told)
      assert.is_true(told[1].done >= 1 and told[1].done <= 10)
    end
    local tell, told = listener()
    for _ in pool:imap(is_5, mp.range(1, 10), { progress = tell }) do break end -- luacheck: ignore 512
    assert.equal(1, #told)
    pcall(pool.any, pool, error, { 1 }, { progress = tell })
    assert.equal(1, #told)
  end)

  it("knows no total of an iterator", function()
    local pool <close> = mp.Pool(2)
    local f, told = listener()
    pool:each(slow, iterator(30), { progress = f })
    check(told, 30, nil)
  end)

  it("counts items within chunks, failures, and those that died with their worker", function()
    local pool <close> = mp.Pool(2)
    local f, told = listener()
    pool:map(function(x)
      mp.sleep(0.02)
      if x == 3 then error "no" end
      if x == 9 then require("probe").kill(mp.current_process().pid, 9) end
      return x
    end, mp.range(1, 30), { progress = f, chunk = 15, on_error = "collect" })
    check(told, 30, 30)
    assert.equal(2, told[#told].failed)
    local within = false -- chunks end at 3, 9, 15 and 30
    for _, now in ipairs(told) do within = within or now.done > 0 and now.done % 15 ~= 0 end
    assert.is_true(within)
  end)

  it("is there for futures while they are waited for, mp.map and mp.reduce", function()
    local pool <close> = mp.Pool(2)
    local f, told = listener()
    pool:map_async(slow, mp.range(1, 30), { progress = f, chunk = 1 }):get()
    check(told, 30, 30)
    f, told = listener()
    mp.map(slow, mp.range(1, 30), { workers = 2, progress = f })
    check(told, 30, 30)
    f, told = listener()
    mp.reduce(slow, math.max, mp.range(1, 30), nil, { workers = 2, progress = f })
    check(told, 30, 30)
    f, told = listener()
    mp.Pool(0):map(slow, { 1, 2, 3 }, { progress = f })
    assert.same({ 1, 3, 3 }, { #told, told[1].done, told[1].total })
  end)

  it("ends the call when its function raises, and says so at the caller's line", function()
    local pool <close> = mp.Pool(2)
    local begun = mp.Value("i", 0)
    local function work(x)
      begun:add(1)
      return slow(x)
    end
    local function enough() error("enough", 0) end
    for _, n in ipairs { 2, 1000 } do -- in the end only, on the way
      local many, options = mp.range(1, n), { progress = enough, chunk = 1 }
      for what, f in pairs {
        map = function() pool:map(work, many, options) end,
        map_async = function() pool:map_async(work, many, options):get() end,
        imap = function() for _ in pool:imap(work, many, options) do end end, -- luacheck: ignore
        imap_unordered = function() for _ in pool:imap_unordered(work, many, options) do end end, -- luacheck: ignore
        each = function() pool:each(work, many, options) end,
        each_stream = function() pool:each(work, iterator(n), options) end,
        reduce = function() pool:reduce(work, math.max, many, nil, options) end,
        mp_map = function() mp.map(work, many, { workers = 2, progress = enough, chunk = 1 }) end,
        here = function() mp.Pool(0):map(work, { 1, 2 }, options) end,
      } do
        local ok, err = pcall(f)
        assert.is_false(ok, what)
        local line = debug.getinfo(f, "S").linedefined
        assert.equal(("%s:%d: enough"):format(debug.getinfo(1, "S").short_src, line), err, what)
        assert.equal(0, pool:stats().pending, what)
      end
      local before = begun.value
      mp.sleep(0.05)
      assert.equal(before, begun.value)
    end
    assert.equal(3, #pool:map(slow, { 1, 2, 3 }))
  end)

  it("gives the call a word for an error that is nil, and another value as it is", function()
    local pool <close> = mp.Pool(2)
    local many, options = mp.range(1, 1000), { progress = function() error(nil) end }
    raises("the function of option 'progress' raised nil", function() pool:map(slow, many, options) end)
    local thing = {}
    local future = pool:map_async(slow, many, { progress = function() error(thing) end })
    assert.same({ false, thing }, { pcall(future.get, future) })
    assert.equal(thing, select(2, pcall(future.get, future)))
  end)

  it("is no other call's when it raises", function()
    local pool <close> = mp.Pool(2)
    local function enough() error("enough", 0) end
    local short = pool:map_async(slow, { 1, 2 }, { progress = enough })
    local other = pool:map_async(slow, mp.range(1, 30))
    assert.equal(30, #other:get())
    raises("enough", function() short:get() end)
    local long = pool:map_async(slow, mp.range(1, 1000), { progress = enough })
    other = pool:map_async(slow, mp.range(1, 10))
    raises("enough", function() long:get() end)
    assert.is_true(long:done())
    assert.equal(10, #other:get())
    short = pool:map_async(slow, { 1, 2 }, { progress = enough })
    local seen
    short:on_done(function(future) seen = future end)
    assert.equal(30, #pool:map(slow, mp.range(1, 30)))
    assert.equal(short, seen)
    short = pool:map_async(slow, { 1, 2 }, { progress = enough })
    assert.equal(short, mp.as_completed({ short }, 10)())
    raises("enough", function() short:get() end)
    pool:map_async(slow, { 1, 2 }, { progress = enough })
    pool:close()
    assert.is_true(pool:join(10))
  end)

  it("may wait for its own call", function()
    local pool <close> = mp.Pool(2)
    local future, got
    future = pool:map_async(slow, mp.range(1, 30), { chunk = 1, progress = function(done)
      if done < 30 then got = #future:get() end
    end })
    assert.equal(30, #future:get())
    assert.equal(30, got)
  end)

  it("draws nothing where there is no terminal", function()
    local r = tool.shell("$M --progress $S", [[local mp = require "mphost" local pool <close> = mp.Pool(2)
      pool:map(mp.sleep, { 0.3, 0.3, 0.3, 0.3 }, { chunk = 1, progress = true }) print "done"]])
    assert.same({ code = 0, out = "done\n", err = "" }, r)
  end)

  it("refuses what is neither", function()
    local pool <close> = mp.Pool(0)
    raises("option 'progress' to 'map': boolean|function expected", function() pool:map(slow, {}, { progress = 1 }) end)
    raises("option 'progress' to 'map': boolean|function expected", function() mp.map(slow, {}, { progress = 1 }) end)
  end)
end)

describe("The line", function()
  it("says share, count, rate, time left, failures, as far as there is room", function()
    assert.equal("map  |##########          |   50%  50/100  10/s  eta 0:05",
      progress.line("map", 50, 100, 0, 10, 80))
    assert.equal("map   50%  50/100  10/s  eta 0:05  3 failed", progress.line("map", 50, 100, 3, 10, 60))
    assert.equal("map   50%  50/100", progress.line("map", 50, 100, 3, 10, 18))
    assert.equal("imap  50  2.5/s", progress.line("imap", 50, nil, 0, 2.5, 80))
    assert.truthy(progress.line("each", 1, 100000, 0, 0.5, 80):find("0.5/s  eta 55:33:18", 1, true))
    assert.truthy(progress.line("each", 5, 1 << 40, 0, 2.34e6, 80):find("2.3M/s", 1, true))
  end)
end)

local describe_if = screen.available() and describe or pending

describe_if("On a terminal, --progress", function()
  it("draws a line for each call, below what workers print, and takes it away", function()
    helper.deadline(30)
    local path = tool.file [[local mp = require "mphost"
      local pool <close> = mp.Pool(2)
      local function work(x)
        mp.sleep(0.05)
        if x % 10 == 0 then print("item " .. x) end
        return x
      end
      print(#pool:map(work, mp.range(1, 60), { chunk = 1 }))
      for _, x in pool:imap(work, mp.range(1, 20)) do if x == 20 then print "imap is over" end end
      error "at the end"]]
    local s <close> = screen.open { command = "$M --progress " .. path }
    s:wait "\nmap  |#+ *|  +%d+%%  %d+/60  %d+/s  eta 0:0%d"
    local text = s:wait "EXIT=1"
    os.remove(path)
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = line end
    local expected = {}
    for i = 10, 60, 10 do expected[#expected + 1] = "item " .. i end
    for _, line in ipairs { "60", "item 10", "item 20", "imap is over" } do expected[#expected + 1] = line end
    assert.same(expected, table.move(lines, 1, #expected, 1, {}))
    assert.falsy(text:find("eta", 1, true), text)
    assert.truthy(text:find("at the end\nstack traceback", 1, true), text)
  end)

  it("does so at the prompt, and Ctrl-C takes it away", function()
    helper.deadline(30)
    local s <close> = screen.open { command = "$M --progress", environment = "NO_COLOR=1" }
    s:wait "mp> $"
    s:enter "pool = mp.Pool(2)"
    s:wait "%)\nmp> $"
    s:enter "function work(x) mp.sleep(0.05) if x % 20 == 0 then print('item ' .. x) end return x end"
    s:wait "end\nmp> $"
    s:enter "#pool:map(work, mp.range(1, 40))"
    s:wait "\nmap  |#+ *|  +%d+%%  %d+/40  "
    local text = s:wait "\n40\nmp> $"
    assert.truthy(text:find "\nitem 20\nitem 40\n40\nmp> $", text)
    s:enter "pool:map(mp.sleep, {1000, 1000})"
    s:wait "\nmap  | +|  +0%%  0/2"
    s:key "C-c"
    s:wait "1000}%)\n^?C?interrupted\nmp> $"
  end)
end)
