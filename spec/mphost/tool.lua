-- What the specs of this folder share: programs run as users run them, waiting for things, and errors that must name
-- the line of the call.
local mp = require "mphost"
local probe = require "probe"

local tool = {}

---The program.
tool.BIN = os.getenv "MPHOST_BIN" or (os.getenv "MPHOST_BUILD" or "build") .. "/mphost"

---How much slower than a plain build this one is: for counts of rounds.
tool.slower = tonumber(os.getenv "MPHOST_SLOWER") or 1

---A word as the shell takes it for one.
---@param word string
---@return string
function tool.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

---All that is in a file.
---@param path string
---@return string
function tool.read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

---The same of a file that is removed by this.
---@param path string
---@return string
function tool.take(path)
  local text = tool.read(path)
  os.remove(path)
  return text
end

---Writes the text to a temporary file: its path.
---@param text string
---@return string
function tool.file(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

---A new empty folder: its path. Whoever asks for it removes it.
---@return string
function tool.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(require "lfs".mkdir(path))
  return path
end

---Runs a shell command line in which $M is the program and $S the script: {code, out, err}, code -N for signal N.
---@param command string
---@param script string?  text of a script
---@param stdin string?
---@return table
function tool.shell(command, script, stdin)
  local script_file, in_file, err_file = tool.file(script or ""), tool.file(stdin or ""), os.tmpname()
  local pipe = assert(io.popen(("M=%s S=%s; { %s; } <%s 2>%s"):format(tool.quote(tool.BIN), script_file, command,
    in_file, err_file)))
  local out = pipe:read("a")
  local _, how, code = pipe:close()
  os.remove(script_file)
  os.remove(in_file)
  return { code = how == "signal" and -code or code, out = out, err = tool.take(err_file) }
end

---Runs a script, with `mp` at hand, as a user who may have so many processes: as shell, or nil and why it cannot be
---done here. root has no such limit, so it is another user's.
---@param most integer
---@param user string  the number of that user, as the shell's words
---@param text string
---@return table?
---@return string? why
function tool.limited(most, user, text)
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return nil, "under a sanitizer" end
  local r = tool.shell(([[W=; if [ "$(id -u)" = 0 ]; then W="setpriv --reuid=%s --clear-groups"; fi
    chmod a+r $S; $W "$M" $S -v >/dev/null || { echo "setpriv: no way to $M" >&2; exit; }
    ulimit -p %d; exec $W "$M" $S]]):format(user, most),
    'if arg[1] == "-v" then return end local mp = require "mphost" ' .. text)
  if r.err:find("setpriv", 1, true) then return nil, "another user cannot run it here" end
  return r
end

---Runs a script, with `mp` and `core` at hand, as a program of its own: {code, out, err}.
---@param text string
---@param stdin string?
---@return table
function tool.run(text, stdin)
  return tool.shell("$M $S", 'local mp = require "mphost" ' .. text, stdin)
end

---Starts a script as a program of its own and goes on: a pipe of what it prints, its first word being its pid.
---@param text string
---@return file* pipe
---@return integer pid
function tool.start(text)
  local path = tool.file('local mp = require "mphost" io.stdout:setvbuf "line"\n' ..
    'print(mp.current_process().pid) ' .. text)
  local pipe = assert(io.popen(("exec %s %s 2>/dev/null"):format(tool.quote(tool.BIN), path)))
  local pid = pipe:read("n", "l")
  os.remove(path)
  return pipe, pid
end

---Waits until the function says true; the case's deadline ends it otherwise.
---@param is_so fun(): boolean
function tool.await(is_so)
  while not is_so() do mp.sleep(0.001) end
end

---Whether there is such a process, zombies not counted.
---@param pid integer
---@return boolean
function tool.lives(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  if not file then return false end
  local text = file:read("a")
  file:close()
  local state = text and text:match("%) (%a)")
  return state ~= nil and state ~= "Z" and state ~= "X"
end

---Waits until all of these processes are gone.
---@param pids integer[]
function tool.await_gone(pids)
  tool.await(function()
    for _, pid in ipairs(pids) do if tool.lives(pid) then return false end end
    return true
  end)
end

---Waits until the process is in this state (a letter, as in /proc/PID/stat), or gone.
---@param pid integer
---@param state string
function tool.await_state(pid, state)
  tool.await(function()
    local file = io.open("/proc/" .. pid .. "/stat")
    if not file then return true end
    local text = file:read("a")
    file:close()
    return text:match("%) (%a)") == state
  end)
end

---Waits until the process sleeps: in its blocking call, by now.
---@param pid integer
function tool.await_sleep(pid)
  tool.await_state(pid, "S")
end

---The function, written on one line, must raise at that line a message that contains the text (a plain one).
---@param text string
---@param f function
function tool.raises(text, f)
  local info = debug.getinfo(f, "S")
  local ok, err = pcall(f)
  assert(not ok, "no error")
  err = tostring(err)
  local start = ("%s:%d: "):format(info.short_src, info.linedefined)
  if err:sub(1, #start) ~= start then error(("not at the caller's line %s\n%s"):format(start, err), 2) end
  if not err:find(text, 1, true) then error(("no %q in\n%s"):format(text, err), 2) end
end

---What the function raises, which must be something.
---@param f function
---@param ... any
---@return any
function tool.error_of(f, ...)
  local ok, err = pcall(f, ...)
  assert(not ok, "no error")
  return err
end

---The name of an expected failure, which a call returns as nil, message, name.
---@param ... any  what it returned
---@return string name
function tool.name_of(...)
  local value, message, name = ...
  if value ~= nil or type(message) ~= "string" then error(("no failure: %s, %s"):format(value, message), 2) end
  return name
end

---Seconds that the function took, and what it returned.
---@param f function
---@param ... any
---@return number
---@return any ...
function tool.timed(f, ...)
  local start = mp.clock()
  local results = table.pack(f(...))
  return mp.clock() - start, table.unpack(results, 1, results.n)
end

---How many keys the table has.
---@param set table
---@return integer
function tool.count_of(set)
  local n = 0
  for _ in pairs(set) do n = n + 1 end
  return n
end

---Closes a handle of any class.
---@param handle userdata
function tool.close(handle)
  getmetatable(handle).__close(handle)
end

---What f(i) returns in n processes at the same time, i from 1 to n.
---@param n integer
---@param f function
---@return any[]
function tool.together(n, f)
  local list = {}
  for i = 1, n do list[i] = mp.spawn(f, i) end
  local results = {}
  for i, p in ipairs(list) do results[i] = p:result() end
  return results
end

---What f returns in a child process.
---@param f function
---@param ... any
---@return any ...
function tool.in_child(f, ...)
  local p <close> = mp.spawn(f, ...)
  return p:result()
end

---The call must time out: seconds that it took.
---@param f function
---@param ... any
---@return number
function tool.times_out(f, ...)
  local took, ok, message, name = tool.timed(f, ...)
  local as_told = ok == nil and message == "timed out" and name == "timeout"
  if not as_told then error(("no timeout: %s, %s, %s"):format(ok, message, name), 2) end
  return took
end

---What a child does that is there to be killed.
function tool.forever()
  while true do mp.sleep(60) end
end

---A child that sleeps, with its start seen: whatever is sent to it finds it in its own code.
---@return userdata process
function tool.sleeper()
  local ready = mp.Value("?")
  local p = mp.spawn(function() ready.value = true tool.forever() end)
  ready:wait(false)
  return p
end

---What a task does that dies.
function tool.die()
  require("probe").kill(mp.current_process().pid, 9)
end

---A worker of the pool waits at the gate, once this returns.
---@param pool userdata
---@param gate userdata  a Value "?": closed until it is set
---@return userdata future  of "through"
function tool.occupy(pool, gate)
  local began = mp.Value("?")
  local future = pool:submit(function()
    began.value = true
    gate:wait(false)
    return "through"
  end)
  began:wait(false)
  return future
end

---The squares of 1 to n, as a pool's map gives them.
---@param n integer
---@return table
function tool.squares(n)
  local list = { n = n }
  for i = 1, n do list[i] = i * i end
  return list
end

---Ends a process at once.
---@param pid integer
function tool.kill(pid)
  probe.kill(pid, 9)
end

return tool
