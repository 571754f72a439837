-- The prompt on a terminal: type, look at the screen.
local lfs = require "lfs"
local helper = require "support.helper"
local mp = require "mphost"
local probe = require "probe"
local screen = require "support.screen"
local tool = require "mphost.tool"

local PROMPT = "mp> $"

-- A prompt that is ready.
local function open(options)
  local s = screen.open(options)
  s:wait(PROMPT)
  return s
end

-- What is on the screen from the first prompt on.
local function transcript(s)
  return (s:text():gsub("^.-leave\n", ""))
end

local function with_home(f)
  local home = os.tmpname()
  os.remove(home)
  assert(lfs.mkdir(home))
  local ok, why = pcall(f, home)
  os.execute("rm -rf '" .. home .. "'")
  if not ok then error(why, 0) end
end

local describe_if = screen.available() and describe or pending

describe_if("the prompt on a terminal", function()
  before_each(function() helper.deadline(30) end)

  it("greets, evaluates, reads on, and leaves at Ctrl-D", function()
    local s <close> = open { environment = "NO_COLOR=1" }
    s:enter "1 + 1"
    s:wait "\n2\nmp> $"
    s:enter "for i = 1, 2 do"
    s:wait "%.%.> $"
    s:enter "print(i) end"
    s:wait "\n2\nmp> $"
    s:enter "error 'no'"
    s:wait "main chunk\nmp> $"
    assert.equal(table.concat({ "mp> 1 + 1", "2", "mp> for i = 1, 2 do", "..> print(i) end", "1", "2", "mp> error 'no'",
      "stdin:4: no", "stack traceback:", "        [C]: in function 'error'", "        stdin:4: in main chunk", "mp> " },
      "\n"), transcript(s))
    s:key "C-d"
    s:wait "\nEXIT=0$"
  end)

  it("brings back a chunk of several lines as one, from file too", function()
    with_home(function(home)
      do
        local s <close> = open { home = home }
        s:enter "function f(x)"
        s:wait "%.%.> $"
        s:enter "  return x + 1 end"
        s:wait(PROMPT)
        s:enter "f(1)"
        s:wait "\n2\nmp> $"
        s:key("Up", "Up")
        s:wait "\nmp> function f%(x%)\n +return x %+ 1 end$"
        s:key("BSpace", "BSpace", "BSpace", "BSpace", "BSpace")
        s:type "0 end"
        s:key "Enter"
        s:wait "x %+ 0 end\nmp> $"
        s:enter "f(1)"
        s:wait "\n1\nmp> $"
        s:key "C-d"
        s:wait "EXIT=0"
      end
      local path = home .. "/mphost/history"
      assert.equal("rw-------", lfs.attributes(path, "permissions"))
      assert.equal("rwx------", lfs.attributes(home .. "/mphost", "permissions"))
      local s <close> = open { home = home }
      s:key("Up", "Up")
      s:wait "mp> function f%(x%)\n +return x %+ 0 end$"
    end)
  end)

  it("completes without running code", function()
    local s <close> = open()
    s:enter "t = setmetatable({inner = 1}, {__index = function() print 'RAN' end})"
    s:wait "end}%)\n.-mp> $"
    s:type "t.in"
    s:key "Tab"
    s:wait "\nmp> t%.inner$"
    s:key "C-u"
    s:type "string.re"
    s:key("Tab", "Tab")
    s:wait "\nrep      reverse\nmp> string%.re$"
    s:key "C-u"
    s:type "t.missing.x"
    s:key "Tab"
    s:key "C-u"
    s:type "mp.clo"
    s:key "Tab"
    s:type "() > 0"
    s:key "Enter"
    assert.falsy(s:wait("mp> mp%.clock%(%) > 0\ntrue\nmp> $"):find "\nRAN")
  end)

  it("shows what processes print above the half-typed line", function()
    local s <close> = open { environment = "NO_COLOR=1" }
    s:enter "q = mp.Queue() p = mp.spawn(function() for x in q:iter() do print('got ' .. x) end end) q:put(1)"
    s:wait "got 1\nmp> $"
    s:enter "w = mp.spawn(function() mp.sleep(0.3) print 'one' io.stderr:write 'two\\n' os.execute 'echo three' end) "
    s:type "half ty"
    s:wait "one\ntwo\nthree\nmp> half ty$"
    local column, row = s:cursor()
    local lines = select(2, transcript(s):gsub("\n", ""))
    assert.equal(11, column)
    assert.equal(lines, row - (select(2, s:text():gsub("^(.-leave\n).*", "%1"):gsub("\n", ""))))
  end)

  it("shows what has no newline, too", function()
    with_home(function(home)
      local s <close> = open { environment = "NO_COLOR=1" }
      local go = home .. "/go"
      s:enter("function f() while not io.open '" .. go .. "' do mp.sleep(0.01) end")
      s:wait "%.%.> $"
      s:enter "io.write 'one ' io.stdout:flush() mp.sleep(0.1) io.write 'line\\ntwo' end"
      s:wait "\nmp> $"
      s:enter "p = mp.spawn(f)"
      s:wait "mp%.spawn%(f%)\nmp> $"
      s:type "half"
      s:wait "half$"
      assert(io.open(go, "w")):close()
      s:wait "\none line\ntwo\nmp> half$"
    end)
  end)

  it("shows what has no newline before the next output, at the latest", function()
    local s <close> = open { environment = "NO_COLOR=1" }
    s:enter "w = mp.spawn(function() mp.sleep(0.3) io.write 'three' end)"
    s:wait "three' end%).*\nmp> $"
    mp.sleep(0.6) -- it has been written and, by most, not been shown
    s:enter "print 'four'"
    s:wait "\nthree\n.*four\nmp> $"
  end)

  it("begins on a row of its own after output without a newline", function()
    with_home(function(home)
      local s <close> = open { environment = "NO_COLOR=1" }
      local go = home .. "/go"
      s:enter "do io.write 'mine' end"
      s:wait "\nmine\nmp> $"
      s:enter "function f() io.write 'child' io.stdout:flush()"
      s:wait "%.%.> $"
      s:enter("while not io.open '" .. go .. "' do mp.sleep(0.01) end print 'more' end")
      s:wait "\nmp> $"
      s:enter "p = mp.spawn(f) mp.sleep(0.4)"
      s:wait "\nchild\nmp> $"
      s:type "half"
      s:wait "half$"
      assert(io.open(go, "w")):close()
      s:wait "more\nmp> half$"
      assert.truthy(s:text():find("\nmine\n", 1, true))
      assert.truthy(s:text():find("\nchild", 1, true))
    end)
  end)

  it("lets output pass while code runs, however much", function()
    local s <close> = open()
    s:enter "p = mp.spawn(function() for i = 1, 5000 do print(('x'):rep(70)) end print 'MARK' end) p:join()"
    s:wait "MARK\nmp> $"
  end)

  it("ends when asked to, and with it all that it started", function()
    local s <close> = open()
    s:enter "p = mp.spawn(mp.sleep, 1000) pool = mp.Pool(1) n = pool:map(mp.sleep, {0})"
    s:wait(PROMPT)
    s:enter "print('PID', p.pid)"
    local pid = screen.pid(s:wait "PID +%d+\nmp> $")
    assert.is_true(tool.lives(pid))
    s:enter ":quit"
    s:wait "EXIT=0$"
    assert.is_false(tool.lives(pid))
  end)

  it("tells of a worker that died meanwhile", function()
    local s <close> = open()
    s:enter "pool = mp.Pool(1) n = pool:map(mp.sleep, {0}) print('PID', pool._workers[1].pid)"
    local pid = screen.pid(s:wait "PID +%d+\nmp> $")
    s:type "#pool:"
    s:wait "#pool:$"
    probe.kill(pid, 11)
    s:wait "mphost: worker 1 of Pool%-1 %(pid %d+%).-\nmp> #pool:$"
    s:enter "map(math.abs, {0, 0})"
    s:wait "%)\n2\nmp> $"
  end)
end)

describe_if("Ctrl-C on a terminal", function()
  before_each(function() helper.deadline(30) end)

  it("drops the line at every state of the prompt, and never more", function()
    local s <close> = open()
    s:key "C-c"
    s:wait "\nmp> ^C\nmp> $"
    s:type "half"
    s:key "C-c"
    s:wait "mp> half%^C\nmp> $"
    s:enter "for i = 1, 2 do"
    s:wait "%.%.> $"
    s:type "more"
    s:key "C-c"
    s:wait "%.%.> more%^C\nmp> $"
    s:enter "x = 'kept'"
    s:wait "'kept'\nmp> $"
    s:key "C-r"
    s:type "kep"
    s:wait "kep.-bck:?.-kep"
    s:key "C-c"
    s:key "C-c"
    s:wait "\nmp> $"
    s:enter "x"
    s:wait '\n"kept"\nmp> $'
  end)

  it("ends at the third Ctrl-C when code will not stop, and says so at the second", function()
    for _, code in ipairs { "while true do pcall(function() while true do end end) end",
      "coroutine.wrap(function() while true do end end)()" } do
      local s <close> = open { environment = "A=1; trap : INT" } -- the shell around it stays
      for i = 1, 3 do -- code that does stop
        s:enter(("print 'begin%d' while true do end"):format(i))
        s:wait("\nbegin" .. i)
        s:key "C-c"
        s:wait "interrupted\nmp> $"
      end
      s:enter("print 'runs' " .. code)
      s:wait "\nruns"
      s:key "C-c"
      mp.sleep(0.2)
      assert.falsy(s:text():find("again ends", 1, true))
      s:key "C-c"
      s:wait "mphost: the code goes on; Ctrl%-C again ends mphost"
      s:key "C-c"
      s:wait "EXIT=130"
    end
  end)

  it("drops a line that is completed, recalled, quoted, half pasted, or half a key", function()
    local s <close> = open()
    s:enter "x = 'kept'"
    s:wait "'kept'\nmp> $"
    s:type "string.re"
    s:key("Tab", "Tab")
    s:wait "reverse\nmp> string%.re$"
    s:key "C-c"
    s:wait "string%.re%^C\nmp> $"
    s:key "Up"
    s:wait "\nmp> x = 'kept'$"
    s:key "C-c"
    s:wait "'kept'%^C\nmp> $"
    for _, half in ipairs { "\27[200~pasted = 1", "\27", "\27[", "\27[20", "\27[1;", "\xc3", "\xe6\xbc" } do
      s:type("half " .. half)
      s:wait "mp> half"
      s:key "C-c"
      s:key "C-c" -- the first may end the key
      s:wait "half[^\n]*\n.*mp> $"
      s:enter "x"
      s:wait '\nmp> x\n"kept"\nmp> $'
      s:key "C-l"
      s:wait "^mp> $"
    end
  end)

  it("does the same in mp.repl, and the script goes on behind it", function()
    local path = tool.file [[
local mp = require "mphost"
local secret = 42
mp.repl()
print("SECRET", secret)
mp.sleep(1000)]]
    local s <close> = screen.open { command = "trap : INT; $M " .. path, environment = "NO_COLOR=1" }
    s:wait(PROMPT)
    s:type "secret = 'half"
    s:key "C-c"
    s:wait "half%^C\nmp> $"
    s:enter "print 'GO' mp.sleep(1000)"
    s:wait "\nGO"
    s:key "C-c"
    s:wait "interrupted\n.-mp> $"
    s:enter "secret = secret + 1"
    s:wait "%+ 1\nmp> $"
    s:key "C-d"
    s:wait "SECRET +43$"
    s:key "C-c" -- the prompt is over: now it is the script that is interrupted
    s:wait "interrupted!\nEXIT=130$"
    os.remove(path)
  end)

  -- Each sleeps or runs for ever.
  for name, code in pairs { sleep = "mp.sleep(1000)", loop = "while true do end", get = "mp.Queue():get()",
                            join = "p:join()", map = "pool:map(function() while true do end end, {1, 2, 3, 4})" } do
    it("cancels " .. name .. " and keeps session, pools and processes", function()
      local s <close> = open()
      s:enter "x = 5 pool = mp.Pool(2) p = mp.spawn(mp.sleep, 1000) n = #pool:map(math.abs, {1})"
      s:wait "1}%)\nmp> $"
      s:enter("print 'GO' " .. code)
      s:wait "\nGO"
      s:key "C-c"
      s:wait "interrupted\nmp> $"
      s:enter "x, p:is_alive(), #pool:map(math.abs, {1, 2, 3})"
      s:wait "\n5 +true +3\nmp> $"
    end)
  end

  it("by kill -INT does the same", function()
    local s <close> = open()
    s:enter "print('PID', mp.current_process().pid)"
    local pid = screen.pid(s:wait "PID +%d+\nmp> $")
    s:type "half"
    s:wait "half$"
    probe.kill(pid, 2)
    s:wait "half%^C\nmp> $"
    s:enter "print 'GO' mp.sleep(1000)"
    s:wait "\nGO"
    probe.kill(pid, 2)
    s:wait "interrupted\nmp> $"
    s:type "half"
    s:wait "mp> half$"
    probe.kill(pid, 15)
    s:wait "EXIT=143$"
  end)

  it("has a brother, Ctrl-Z", function()
    local s <close> = screen.open { command = "bash -c 'set -m; $M; echo STOPPED; fg; echo OVER'", environment = "M" }
    s:wait(PROMPT)
    s:type "'half' .."
    s:wait "half' %.%.$"
    s:key "C-z"
    s:wait "STOPPED\n.-\nmp> 'half' %.%.$"
    s:enter " ' whole'"
    s:wait '\n"half whole"\nmp> $'
    s:key "C-d"
    s:wait "OVER"
  end)

  it("leaves a terminal as it was found", function()
    local s <close> = screen.open { command = "stty -a >$HOME/before; $M; stty -a >$HOME/after; cmp $HOME/before " ..
      "$HOME/after && echo SAME", home = "/tmp" }
    s:wait(PROMPT)
    s:type "x"
    s:key "C-c"
    s:wait "%^C\nmp> $"
    s:key "C-d"
    s:wait "SAME"
    os.remove "/tmp/before"
    os.remove "/tmp/after"
    os.execute "rm -f /tmp/mphost/history; rmdir /tmp/mphost 2>/dev/null"
  end)
end)

describe_if("a terminal", function()
  before_each(function() helper.deadline(30) end)

  local function lines_of_code()
    local lines = { "local sum = 0" }
    for i = 2, 499 do lines[i] = ("sum = sum + %d -- and some words\t%d"):format(i, i) end
    lines[500] = "print('SUM', sum)"
    return table.concat(lines, "\n") .. "\n"
  end

  it("takes a paste of 500 lines as one piece", function()
    local s <close> = open { environment = "NO_COLOR=1" }
    s:paste(lines_of_code())
    s:wait "print%('SUM', sum%)$"
    s:key "Enter"
    s:wait "\nSUM +124749\nmp> $"
    s:enter "'next'"
    s:wait '\n"next"\nmp> $'
  end)

  it("takes one without brackets line by line", function()
    local s <close> = open()
    s:paste(lines_of_code():gsub("local sum", "sum"):gsub("\t", " "), true)
    s:wait "\nSUM +124749\nmp> $"
  end)

  it("may be 20 columns wide", function()
    local s <close> = open { columns = 20, rows = 12, environment = "NO_COLOR=1" }
    s:enter "function tell(x) mp.spawn(function() mp.sleep(0.3) print(x) end) end"
    s:wait "end\nmp> $"
    s:enter "tell 'here'"
    s:wait "here'\nmp> $"
    s:type "'abcdefghijklmnopqrstuvwxyz' .. 'ABC'"
    s:wait "here\nmp> 'abcdefghijklmno\npqrstuvwxyz' %.%. 'ABC\n'$"
    s:key("Left", "Left", "BSpace", "X")
    s:key "Enter"
    s:wait '\n"abcdefghijklmnopqrs\ntuvwxyzAXC"\nmp> $'
    s:enter "{10000000, 20000000, 30000000}"
    s:wait "\n{\n  10000000,\n  20000000,\n  30000000\n}\nmp> $"
  end)

  it("may change its size", function()
    local s <close> = open { columns = 80, environment = "NO_COLOR=1" }
    s:type "'a line to be kept' .."
    s:resize(30, 10)
    s:wait "kept' %.%.$"
    s:enter " ' over'"
    s:wait '\n"a line to be kept over"\nmp> $'
  end)

  it("shows characters of all widths", function()
    local s <close> = open()
    s:type "#'aä漢字é'"
    s:wait "#'aä漢字é'$"
    local column = s:cursor()
    assert.equal(4 + 3 + 1 + 1 + 2 + 2 + 1, column)
    s:key("Left", "BSpace", "BSpace", "Right")
    s:wait "#'aä漢'$"
    s:key "Enter"
    s:wait "\n6\nmp> $"
    s:enter "'grüße', {['ключ'] = '値'}"
    s:wait '\n"grüße" +{%["ключ"%] = "値"}\nmp> $'
  end)

  it("shows output above a line of wide characters that is longer than the screen is wide", function()
    local s <close> = open { columns = 20, rows = 12, environment = "NO_COLOR=1" }
    s:enter "p = mp.spawn(function() mp.sleep(1) print 'out' end)"
    s:wait "end%)\nmp> $"
    s:type "'漢字漢字漢字漢字漢字'"
    s:wait "\nmp> '漢字漢字漢字漢\n *字漢字'$"
    s:wait "end%)\nout\nmp> '漢字漢字漢字漢\n *字漢字'$"
  end)

  it("without powers has plain lines", function()
    local s <close> = screen.open { environment = "TERM=dumb" }
    s:wait "^mphost [^\n]+\nmp> $"
    s:enter "{'x'}"
    s:wait '\n{"x"}\nmp> $'
    assert.falsy(s:text(true):find "\27")
    s:key "C-c"
    s:wait "%^C\nmp> $"
    s:enter "mp.sleep(1000)"
    s:wait "1000%)$"
    s:key "C-c"
    s:wait "interrupted\nmp> $"
    s:key "C-d"
    s:wait "EXIT=0$"
  end)

  it("gets colours, unless NO_COLOR says no", function()
    local colored <close> = open()
    colored:enter "'x', error"
    assert.truthy(colored:wait("\"x\".-mp> ?.-$", true):find "\27%[32m")
    local plain <close> = open { environment = "NO_COLOR=1" }
    plain:enter "'x'"
    assert.falsy(plain:wait('\n"x"\nmp> ?.-$', true):find "\27%[3%dm")
  end)

  it("is the same without a history that can be kept", function()
    with_home(function(home)
      assert(lfs.mkdir(home .. "/mphost"))
      assert(lfs.mkdir(home .. "/mphost/history"))
      os.execute("mkfifo " .. home .. "/fifo")
      for _, environment in ipairs { "XDG_STATE_HOME=" .. home .. "; unset MPHOST_HISTORY",
                                     "MPHOST_HISTORY=/proc/nothing/at/all",
                                     "MPHOST_HISTORY=/dev/full", "MPHOST_HISTORY=" .. home .. "/fifo" } do
        local s <close> = open { environment = environment }
        s:enter "1 + 1"
        s:wait "history is not kept: [^\n]+\n.-2\nmp> $"
        s:enter "2 + 2"
        assert.equal(1, select(2, s:wait("\n4\nmp> $"):gsub("history is not kept", "")))
        s:key "Up"
        s:wait "mp> 2 %+ 2$"
      end
    end)
  end)

  it("leaves the mode of the file that a link leads to", function()
    with_home(function(home)
      os.execute(("cd %s; echo 1 >a; chmod 644 a; cp -p a b; ln -s a link"):format(home))
      for _, name in ipairs { "link", "b" } do
        local s <close> = open { environment = "MPHOST_HISTORY=" .. home .. "/" .. name }
        s:enter "1 + 1"
        s:wait "\n2\nmp> $"
      end
      assert.equal("rw-r--r--", lfs.attributes(home .. "/a", "permissions"))
      assert.equal("rw-------", lfs.attributes(home .. "/b", "permissions"))
    end)
  end)

  it("goes on when the disk is full", function()
    local mount = "mount -t tmpfs -o size=4k none /mnt 2>/dev/null"
    if not os.execute(("unshare -rm sh -c '%s' 2>/dev/null"):format(mount)) then return pending "no namespaces here" end
    local s <close> = screen.open { environment = "MPHOST_HISTORY=/mnt/history", command =
      ("unshare -rm sh -c '%s; head -c 100000 /dev/zero >/mnt/fill 2>/dev/null; exec '$M"):format(mount) }
    s:wait(PROMPT)
    s:enter "1 + 1"
    s:wait "history is not kept: [^\n]*No space left.-\n2\nmp> $"
  end)
end)

describe_if("mp.repl on a terminal", function()
  it("edits lines in a script, and gives the terminal back to it", function()
    local path = tool.file [[
local mp = require "mphost"
local secret = 42
mp.repl()
print("SECRET", secret, io.read "l")]]
    local s <close> = screen.open { command = "$M " .. path, environment = "NO_COLOR=1" }
    s:wait(PROMPT)
    s:type "secr"
    s:key "Tab"
    s:wait "mp> secret$"
    s:enter " = secret + 1"
    s:wait "secret %+ 1\nmp> $"
    s:key "C-d"
    s:enter "typed"
    s:wait "SECRET +43 +typed\nEXIT=0$"
    os.remove(path)
  end)
end)
