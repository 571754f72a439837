-- The prompt without a terminal: what goes in, what comes out.
local probe = require "probe"
local tool = require "mphost.tool"

local function typed(lines, command)
  return tool.shell(command or "$M -i", nil, lines)
end

-- What comes out on stdout for these lines, of which none may fail.
local function out(lines)
  local r = typed(lines)
  assert.equal(0, r.code)
  assert.falsy(r.err:find "stdin:", r.err)
  return r.out
end

describe("the prompt", function()
  it("shows expressions, keeps the last results in _ and _1, _2, ...", function()
    assert.equal('3\n6\n1\tnil\t"x"\n"x"\n"x"\n', out "1 + 2\n_ * 2\n1, nil, 'x'\n_3\n_\n")
    assert.equal("{1, a = {2}}\n", out "{1, a = {2}}\n")
    assert.equal("1\t2\n3\nnil\n", out "1, 2\n3\n_2\n")
  end)

  it("says nothing for statements and calls without results, and nil for nil", function()
    assert.equal("hello\nnil\n", out "x = 1\nprint 'hello'\nnil\n\n-- nothing\n")
  end)

  it("reads on while the code is not complete", function()
    assert.equal("1\n2\n", out "for i = 1, 2 do\nprint(i)\nend\n")
    assert.equal('"a\\nb"\n', out "[[a\nb]]\n")
    assert.equal("6\n", out "1 +\n2 +\n3\n")
    local r = typed "f(\n"
    assert.truthy(r.err:find("stdin:1: unexpected symbol near <eof>", 1, true), r.err)
  end)

  it("has the prompts of _PROMPT and _PROMPT2", function()
    local r = typed "_PROMPT, _PROMPT2 = 'A', 'B'\nx =\n1\n"
    assert.truthy(r.err:find("mp> ABA\n$"), r.err)
  end)

  it("numbers lines over the session, tells errors, and goes on", function()
    local r = typed "x = 1\nfunction f()\n  error 'bad'\nend\nf()\nlocal t = nil; t.x = 1\n7\n"
    assert.equal("7\n", r.out)
    assert.truthy(r.err:find("stdin:3: bad\nstack traceback:", 1, true), r.err)
    assert.truthy(r.err:find("stdin:6: attempt to index a nil value (local 't')", 1, true), r.err)
    assert.falsy(r.err:find("mphost/repl.lua", 1, true), r.err)
    assert.falsy(r.err:find("xpcall", 1, true), r.err)
  end)

  it("shows error objects by their __tostring", function()
    local r = typed "error(setmetatable({}, {__tostring = function() return 'own words' end}))\nerror {}\n"
    assert.truthy(r.err:find("mp> own words\n", 1, true), r.err)
    assert.truthy(r.err:find("(error object is a table value)", 1, true), r.err)
  end)

  it("warns of a local that ends with its line, and only of that", function()
    for code, name in pairs { ["local x = 1"] = "x", ["local a, b"] = "a", ["local function f() end"] = "f",
                              ["local c <const> = f(1,\n2)"] = "c" } do
      local r = typed("function f() end\n" .. code .. "\n")
      assert.truthy(r.err:find(("mphost: local '%s' ends with its line"):format(name), 1, true), r.err)
    end
    for _, code in ipairs { "local x = 1 print(x)", "local f = function() end; f()", "do local x end", "locals = 1" } do
      assert.falsy(typed(code .. "\n").err:find("ends with its line", 1, true), code)
    end
  end)

  it("explains names", function()
    local text = out("mp.Pool?\n-- doubles\nfunction twice(x)\n  return 2 * x\nend\ntwice??\nprint?\n" ..
      "nothing.at.all?\nx = {1}\nx?\n")
    assert.truthy(text:find("^function mp.Pool%(options, %.%.%.%)\nA pool of workers", 1), text)
    assert.truthy(text:find("function twice(x)\n  return 2 * x\nend\n", 1, true), text)
    assert.truthy(text:find("print: function; it is written in C", 1, true), text)
    assert.truthy(text:find("nothing.at.all: nil", 1, true), text)
    assert.truthy(text:find("x: table\n{1}\n", 1, true), text)
  end)

  it("explains what is written in C, too", function()
    local text = out("q = mp.Queue()\nv = mp.Value 'i'\nq.put?\nq:put?\nv.add?\nmp.sleep?\nq?\nq.put??\nv.value?\n")
    local put = "Queue:put(value, timeout)\nPuts a message, whole, behind the others"
    assert.equal(2, select(2, text:gsub(put:gsub("%p", "%%%0"), "")), text)
    for _, part in ipairs { "\n  value: any  not nil; mp.null stands for it\n", "\n  returns true?\n",
                            "\nValue:add(n)\nAdds in one atomic step", "\nmp.sleep(seconds)\nSleeps.\n",
                            "\nq: userdata\nQueue #", "\nmethods: put try_put get",
                            "\nq.put: function; it is written in C: there is no source in Lua to show\n" } do
      assert.truthy(("\n" .. text):find(part, 1, true), part .. text)
    end
  end)

  it("obeys commands, also shortened, and names those it does not know", function()
    assert.truthy(out(":help\n"):find(":quit", 1, true))
    assert.equal("1\n", out "1\n:q\n2\n")
    local r = typed ":tim mp.sleep(0.01)\n:nonsense\n::label:: x = 1\n:time error 'x'\n"
    assert.truthy(r.err:find "0%.0[1-9]%d* s\n", r.err)
    assert.truthy(r.err:find("unknown command ':nonsense'", 1, true), r.err)
    assert.truthy(r.err:find("stdin:2: x\n", 1, true), r.err)
  end)

  it("tables processes and pools", function()
    local text = out [[
:ps
pool = mp.Pool{workers = 2, name = "P"}
:ps
n = #pool:map(math.abs, {1, 2, 3})
p = mp.Process{target = mp.sleep, args = {100}, name = "sleeper"}
q = p:start() and nil
:ps
]]
    local lines = {}
    for line in text:gmatch "[^\n]+" do lines[#lines + 1] = (line:gsub("%d%d%d+", "PID"):gsub("%s+", " ")) end
    local head = "NAME PID STATE ITEM DONE FAILED QUEUED"
    assert.same({ "no processes, no pools, no queues", head, "P 2 workers, none started yet 0 0 0", head,
      "sleeper PID running", "P 2 workers 3 0 0" }, table.move(lines, 1, 6, 1, {}))
    local done = 0
    for i = 7, 8 do
      assert.truthy(lines[i]:find "^P worker %d PID idle %d 0$", lines[i])
      done = done + lines[i]:match "(%d) 0$"
    end
    assert.equal(3, done)
  end)

  it("tables items in work, those that wait, and queues", function()
    local text = out [[
go, begun, box = mp.Event(), mp.Queue(), mp.Queue()
n = box:put_many {1, 2, 3}
function work(i) begun:put(i) go:wait() return i end
pool = mp.Pool{workers = 2, name = "P"}
a = pool:map_async(work, {1, 2, 3, 4, 5}, {chunk = 1})
b = pool:submit(work, 6)
x = begun:get() + begun:get()
:ps
go:set()
x = #a:get() + b:get()
:ps
]]
    local lines = {}
    for line in text:gmatch "[^\n]+" do
      lines[#lines + 1] = (line:gsub("%d%d%d+", "PID"):gsub("%s+", " "):gsub("busy %d %(%d+%.%d s%)", "busy N (s)"))
    end
    local head = "NAME PID STATE ITEM DONE FAILED QUEUED"
    assert.same({ head, "P 2 workers, 2 calls 0 0 4", "P worker 1 PID busy N (s) 0 0", "P worker 2 PID busy N (s) 0 0",
      "begun queue 0", "box queue 3", head, "P 2 workers 6 0 0" },
      { table.unpack(lines, 1, 8) })
    assert.equal("begun queue 4", lines[11])
  end)

  it("tables as waiting only what has not ended, also after a worker's death", function()
    local text = out [[
go, begun = mp.Event(), mp.Queue()
function work(i) if i == 2 then os.exit(3) end if i > 2 then begun:put(i) go:wait() end return i end
pool = mp.Pool{workers = 1, name = "P"}
a = pool:map_async(work, {1, 2, 3, 4, 5}, {chunk = 5, on_error = "collect"})
a:wait(0.3) begun:get()
:ps
go:set() a:wait()
]]
    assert.truthy(text:find "\nP +1 worker, 1 call +1 +1 +2\n", text)
  end)

  it("forgets the session's globals, processes and pools", function()
    local text = out [[
x, print = 1, nil
pool = mp.Pool(1)
n = #pool:map(math.abs, {1, 2, 3})
p = mp.spawn(mp.sleep, 100)
:reset
print(x, pool, p, mp ~= nil)
:ps
]]
    assert.equal("nil\tnil\tnil\ttrue\nno processes, no pools, no queues\n", text)
  end)

  it("sends what is typed after the workers have started", function()
    assert.equal("{1, 2}\n{2, 4}\n{3, 6}\n", (out [[
function f(x) return x end
pool = mp.Pool(2)
pool:map(f, {1, 2})
function g(x) return f(x) end
function f(x) return 2 * x end
pool:map(g, {1, 2})
three = 3
pool:map(function(x) return x * three end, {1, 2})
]]):gsub(", n = 2}", "}"))
  end)

  it("tells of a worker and of a process that died, and goes on", function()
    local r = typed [[
pool = mp.Pool(1)
n = #pool:map(math.abs, {1})
p = mp.spawn(mp.sleep, 100)
p:kill()
p:join()
pool:map(function() io.popen("kill -9 $PPID"):close() end, {1})
#pool:map(math.abs, {1, 2})
]]
    assert.equal("true\ntrue\n2\n", r.out)
    assert.truthy(r.err:find "mphost: Process%-1 %(pid %d+%) killed by SIGKILL", r.err)
    assert.truthy(r.err:find "worker 1 %(pid %d+%) was killed by SIGKILL", r.err)
  end)

  it("drops the line, or what runs, at SIGINT, and goes on", function()
    local path = os.tmpname()
    local pipe = assert(io.popen(("exec %s -i >%s 2>&1"):format(tool.BIN, path), "w"))
    pipe:setvbuf "no"
    -- Types what is not nil and waits until all that was shown ends in this.
    local function expect(ending, text)
      if text then pipe:write(text) end
      local shown
      tool.await(function()
        shown = tool.read(path)
        return shown:find(ending .. "$") ~= nil
      end)
      return shown
    end
    local pid = math.tointeger(expect("PID\t%d+\nmp> ", "print('PID', mp.current_process().pid)\n"):match "PID\t(%d+)")
    local function interrupt(ending)
      tool.await_sleep(pid)
      probe.kill(pid, 2)
      return expect(ending)
    end
    interrupt "\nmp> \nmp> "
    expect("mp> %.%.> ", "for i = 1, 2 do\n")
    interrupt "%.%.> \nmp> "
    expect("mp> GO\n", "io.stderr:write 'GO\\n' mp.sleep(1000)\n")
    interrupt "interrupted\nmp> "
    expect("mp> GO\n", ":time io.stderr:write 'GO\\n' mp.sleep(1000)\n")
    assert.truthy(interrupt("s\nmp> "):find "interrupted\n%d+%.%d+ s\nmp> $")
    expect("mp> 7\nmp> ", "3 + 4\n")
    assert.is_true(pipe:close())
    os.remove(path)
  end)

  it("ends what was started in it", function()
    local pipe = assert(io.popen(("echo 'p = mp.spawn(mp.sleep, 1000) print(p.pid)' | %s -i 2>/dev/null")
      :format(tool.BIN)))
    local pid = pipe:read "n"
    pipe:close()
    assert.is_false(tool.lives(pid))
  end)

  it("opens in a script with its local variables", function()
    local r = tool.shell("$M $S", [[
local mp = require "mphost"
local factor, list = 2, {}
local function work(n)
  local sum = n * factor
  mp.repl()
  print("after", sum, #list, factor, added(1))
end
work(21)
print "end"
]], "sum\nsum = sum + 1\nfactor = 3\nlist[1] = factor\nn, list\nfunction added(x) return sum + x end\n:quit\nnever\n")
    assert.equal('42\n21\t{3}\nafter\t43\t1\t3\t44\nend\n', r.out)
    assert.equal(0, r.code)
  end)

  it("opens under a stock lua5.4", function()
    if os.getenv "MPHOST_SANITIZE" and os.getenv "MPHOST_SANITIZE" ~= "" then return pending "not instrumented" end
    local build = os.getenv "MPHOST_BUILD" or "build"
    local r = tool.shell(("LUA_CPATH_5_4='%s/?.so;;' lua5.4 $S"):format(build),
      "local x = 5 require'mphost'.repl() print(x)", "x + 1\nx = 7\n")
    assert.same({ 0, "6\n7\n" }, { r.code, r.out })
  end)

  it("takes a file of any length", function()
    local lines = {}
    for i = 1, 3000 do lines[i] = ("x%d = %d"):format(i, i) end
    lines[#lines + 1] = "x1 + x3000\nerror 'here'\n"
    local r = typed(table.concat(lines, "\n"))
    assert.equal("3001\n", r.out)
    assert.truthy(r.err:find("stdin:3002: here", 1, true))
  end)

  it("takes everything with it when os.exit leaves", function()
    for _, call in ipairs { "os.exit(4)", "os.exit(4, true)" } do
      local r = typed("p = mp.spawn(function() mp.sleep(1000) end)\nprint(p.pid)\n" .. call .. "\n", "timeout 20 $M -i")
      assert.equal(4, r.code)
      assert.falsy(tool.lives(tonumber(r.out)))
    end
    local r = typed("p = mp.spawn(function() mp.spawn(function() mp.sleep(0.2) print 'waited' end) os.exit(3) end)\n"
      .. "p:join()\np.exitcode\n", "timeout 20 $M -i")
    assert.equal("waited\n3\n", (r.out:gsub("true\n", "")))
  end)
end)
