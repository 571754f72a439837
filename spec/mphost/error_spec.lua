-- mphost.error: task errors as text, values in short, statuses in words.
local errors = require "mphost.error"
local tool = require "mphost.tool"

describe("TaskError", function()
  it("tells all it knows", function()
    local err = errors.new { message = "x.lua:3: boom", traceback = "stack traceback:\n\tx.lua:3: in f", item = "7",
                             index = 12, worker = 2 }
    assert.equal("error", err.kind)
    assert.equal("task 12 failed on worker 2: x.lua:3: boom\n  item: 7\nremote stack traceback:\n\tx.lua:3: in f",
      tostring(err))
    assert.equal(errors.TaskError, getmetatable(err))
  end)

  it("tells less when it knows less", function()
    assert.equal("gone", tostring(errors.new { message = "gone", kind = "crash" }))
    assert.equal("task 1 failed: gone", tostring(errors.new { message = "gone", index = 1 }))
    assert.equal("crash", errors.new({ kind = "crash" }).kind)
  end)
end)

describe("errors.shorten", function()
  it("shows values in at most 80 characters", function()
    assert.equal("7", errors.shorten(7))
    assert.equal("nil", errors.shorten(nil))
    assert.equal("\"a\\nb\"", errors.shorten("a\nb"))
    assert.equal("{1, \"two\"}", errors.shorten { 1, "two" })
    assert.equal("{key = true}", errors.shorten { key = true })
    for _, long in ipairs { ("x"):rep(1000), { ("y"):rep(1000), ("z"):rep(1000), ("z"):rep(1000) } } do
      local text = errors.shorten(long)
      assert.equal(80, #text)
      assert.equal("...", text:sub(-3))
    end
    assert.truthy(errors.shorten({ 1, 2, 3, 4, 5, 6 }):find(", ...}", 1, true))
  end)

  it("asks an object for its name, but not for its fields", function()
    local object = setmetatable({}, { __tostring = function() return "Point(1, 2)" end,
      __pairs = function() error "touched" end })
    assert.equal("Point(1, 2)", errors.shorten(object))
  end)
end)

describe("errors.describe", function()
  it("puts statuses in words", function()
    assert.equal("exited with code 0", errors.describe(0))
    assert.equal("exited with code 255", errors.describe(255))
    assert.equal("killed by SIGSEGV", errors.describe(-11))
    assert.equal("killed by SIGABRT (core dumped)", errors.describe(-6, true))
    assert.equal("killed by signal 64", errors.describe(-64))
    local all = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP " ..
      "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
    local n = 0
    for name in all:gmatch "%w+" do
      n = n + 1
      assert.equal("killed by SIG" .. name, errors.describe(-n))
    end
    assert.equal(31, n)
    assert.equal("killed by signal 32", errors.describe(-32))
    assert.truthy(errors.describe("unknown"):find "^ended")
  end)
end)

describe("The line of an error", function()
  local START = [[
    local function at(f, ...)
      local ok, why = pcall(f, ...)
      local line = debug.getinfo(f, "S").linedefined
      why = tostring(why):gsub("^[^%s:]+:" .. line .. ": ", "here: "):gsub("'Process%-%d+'", "P")
      print(why)
    end
    ]]

  it("is the script's, once, when it is interrupted", function()
    for _, call in ipairs { "mp.Pool(1):map(mp.sleep, { 5 })", "mp.map(mp.sleep, { 5 })",
      "mp.Pool(1):submit(mp.sleep, 5):get()", "mp.wait { mp.Queue() }",
      "mp.Process { target = mp.sleep, args = { 5 }, daemon = true }:start():join()",
      "for _ in mp.Pool(1):imap(mp.sleep, { 5 }) do print '?' end" } do
      local r = tool.run(START .. ([[
        local me = mp.current_process().pid
        mp.spawn(function() mp.sleep(0.2) os.execute("kill -INT " .. me) end)
        at(function() %s end)]]):format(call))
      assert.equal("here: interrupted!\n", r.out, call)
    end
  end)

  it("is the script's, once, and the words are the user's", function()
    local r = tool.run(START .. [[
      local pool <close> = mp.Pool(1)
      at(function() mp.wait { mp.Process(print) } end)
      local a, b = mp.Pipe()
      a:close()
      at(function() mp.wait { b, a } end)
      mp.start_method "spawn"
      at(function() mp.spawn(print, coroutine.create(print)) end)
      local other <close> = mp.Pool { workers = 1, init = function() return a, pool end }
      at(function() other:apply(print) end)]])
    assert.equal("here: bad argument #1 to 'wait' (process P has not been started)\n" ..
      "here: bad argument #1 to 'wait' (a connection that is closed here)\n" ..
      "here: cannot send args[1]: coroutine\n", (r.out:gsub("here: cannot start worker[^\n]*\n$", "")))
    assert.truthy(r.out:find "\nhere: cannot start worker 1 of 1: cannot send [^\n]*\n$", r.out)
    assert.is_nil(r.out:find("mphost/", 1, true))
  end)
end)
