-- The house rules that no compiler checks: which room may include which, where specs stand, how long
-- files get, what the top level shows, which Lua functions are documented.
local lfs = require "lfs"
local python = require "support.python_cases"

-- Rooms of host/ and what each may include; "" is host/ itself, that is mphost.h.
local MAY_INCLUDE = {
  os = { "os" },
  shm = { "shm", "os" },
  codec = { "codec" },
  bind = { "bind", "codec", "shm", "os" },
  app = { "app", "bind", "codec", "shm", "os", "" },
  [""] = {},
}

-- Source files without a spec of their name, and why.
-- The codec has one door, codec.h; what is behind it is tried through it.
local CODEC = "spec/codec/codec_spec.c goes through all of it by codec_encode and codec_decode"

local SYNC = "spec/mphost/sync_spec.lua, sync_line_spec.lua and sync_kill_spec.lua call all of it"

local NO_SPEC = {
  ["host/codec/bytecode.c"] = CODEC,
  ["host/codec/collect.c"] = CODEC,
  ["host/codec/decode_code.c"] = CODEC,
  ["host/codec/decode_table.c"] = CODEC,
  ["host/codec/encode.c"] = CODEC,
  ["host/codec/encode_func.c"] = CODEC,
  ["host/codec/encode_table.c"] = CODEC,
  ["host/codec/memo.c"] = CODEC,
  ["host/codec/modules.c"] = CODEC,
  ["host/codec/names.c"] = CODEC,
  ["host/codec/trail.c"] = CODEC,
  ["host/os/streams.c"] = "spec/app/thread_spec.c forks beside threads that use streams",
  ["host/app/main.c"] = "spec/app/cli_spec.lua runs it as users do",
  ["host/app/options.c"] = "spec/app/cli_spec.lua runs it as users do",
  ["host/app/signals.c"] = "spec/app/signal_spec.lua runs it as users do",
  ["host/app/terminal.c"] = "spec/app/prompt_spec.lua looks at the screen",
  ["host/app/editor.c"] = "spec/app/prompt_spec.lua looks at the screen",
  ["host/app/wide.c"] = "spec/app/prompt_spec.lua types characters of all widths",
  ["host/app/relay.c"] = "spec/app/prompt_spec.lua looks at the screen",
  ["lua/mphost/command.lua"] = "spec/mphost/repl_spec.lua types each command",
  ["lua/mphost/ready.lua"] = "spec/mphost/wait_spec.lua calls it and nothing else",
  ["lua/mphost/watch.lua"] = "spec/mphost/repl_spec.lua and spec/app/prompt_spec.lua let workers die",
  ["host/bind/interrupt.c"] = "spec/app/signal_spec.lua interrupts every blocking call",
  ["host/bind/arena.c"] = "spec/mphost/pool_spec.lua: items and results of all sizes go through it",
  ["host/bind/bind_dict.c"] = "spec/mphost/dict_spec.lua calls it and nothing else",
  ["host/bind/bind_array.c"] = "spec/mphost/array_spec.lua calls it and nothing else",
  ["host/bind/bind_file.c"] = "spec/mphost/map_file_spec.lua calls it and nothing else",
  ["host/bind/bind_barrier.c"] = SYNC,
  ["host/bind/bind_condition.c"] = SYNC,
  ["host/bind/bind_event.c"] = SYNC,
  ["host/bind/bind_handle.c"] = "spec/mphost/queue_spec.lua and value_spec.lua: handles are queues' and values'",
  ["host/shm/peek.c"] = "spec/mphost/top_spec.lua looks at families by it",
  ["host/bind/bind_peek.c"] = "spec/mphost/top_spec.lua looks at families by it",
  ["host/bind/bind_pack.c"] = "spec/mphost/pack_spec.lua calls it and nothing else",
  ["host/bind/bind_lock.c"] = SYNC,
  ["host/bind/bind_pipe.c"] = "spec/mphost/pipe_spec.lua calls it and nothing else",
  ["host/bind/bind_call.c"] = "apply goes through it: spec/mphost/pool_spec.lua and pool_kill_spec.lua",
  ["host/bind/item.c"] = "spec/mphost/pool_kill_spec.lua: items of all kinds are given out again",
  ["host/bind/bind_job.c"] = "spec/mphost/pool_spec.lua and pool_kill_spec.lua call all of it",
  ["host/bind/bind_pool.c"] = "spec/mphost/pool_spec.lua and pool_kill_spec.lua call all of it",
  ["host/bind/bind_process.c"] = "spec/mphost/process_spec.lua and family_spec.lua call all of it",
  ["host/bind/bind_queue.c"] = "spec/mphost/queue_spec.lua calls it and nothing else",
  ["host/bind/bind_semaphore.c"] = SYNC,
  ["host/bind/bind_system.c"] = "spec/mphost/init_spec.lua, log_spec.lua and spec/bind/bind_spec.lua call all of it",
  ["host/bind/bind_value.c"] = "spec/mphost/value_spec.lua calls it and nothing else",
  ["host/bind/number.c"] = "spec/mphost/value_spec.lua and array_spec.lua: each number goes through it",
  ["host/bind/bind_worker.c"] = "spec/mphost/pool_spec.lua: what its workers do",
  ["lua/mphost/types.d.lua"] = "spec/mphost/types_spec.lua holds it to the library",
  ["host/bind/guard.c"] = "spec/mphost/guard_spec.lua: time, memory and random numbers of tasks",
  ["lua/mphost/call.lua"] = "spec/mphost/pool_spec.lua and pool_kill_spec.lua: each call goes through it",
  ["lua/mphost/methods.lua"] = "spec/mphost/pool_spec.lua, imap_spec.lua and future_spec.lua call all of it",
  ["host/bind/launch.c"] = "spec/mphost/start_method_spec.lua starts processes by it",
  ["host/bind/helper.c"] = "spec/mphost/start_method_spec.lua and spec/app/embed_spec.lua: where it is found",
  ["host/bind/parcel.c"] = "spec/mphost/queue_spec.lua: each message goes through it",
  ["host/shm/ring.c"] = "spec/shm/queue_spec.c, queue_load_spec.c: rings that grow and go round",
  ["host/bind/sync.c"] = SYNC,
  ["host/bind/outcome.c"] = "spec/mphost/pool_spec.lua: each result and error of a task goes through it",
  ["host/shm/dict_table.c"] = "spec/shm/dict_spec.c: the dict's tables are reached through it",
  ["host/app/state.c"] = "spec/app/host_spec.c and cli_spec.lua see all it does",
  ["host/app/deaths.c"] = "spec/app/event_spec.c: children and grandchildren are killed before they ring",
  ["host/app/guest.c"] = "spec/app/member_spec.c and zygote_spec.c run processes in it",
  ["host/app/define.c"] = "spec/app/call_spec.c: defines_functions; zygote_spec.c has them in workers",
  ["host/app/script.c"] = "spec/app/host_spec.c runs files and code",
  ["host/app/value.c"] = "spec/app/call_spec.c: each value goes through it",
}

local TOP = {
  "host", "lua", "scripts", "spec", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md",
  "build", -- not tracked
}
local MAX_LINES = 600

-- All files below dir whose name matches one of the patterns, with their paths from the top.
local function find(dir, ...)
  local found = {}
  for name in lfs.dir(dir) do
    local path = dir .. "/" .. name
    if name ~= "." and name ~= ".." then
      if lfs.attributes(path, "mode") == "directory" then
        local below = find(path, ...)
        table.move(below, 1, #below, #found + 1, found)
      else
        for _, pattern in ipairs { ... } do
          if name:find(pattern) then found[#found + 1] = path end
        end
      end
    end
  end
  table.sort(found)
  return found
end

local function exists(path)
  return lfs.attributes(path, "mode") ~= nil
end

local function contains(list, wanted)
  for _, v in ipairs(list) do
    if v == wanted then return true end
  end
  return false
end

local function is_empty(problems)
  assert.equal("", table.concat(problems, "\n"))
end

-- host/shm/ring.c is in the room "shm", host/mphost.h in "".
local function room_of(path)
  return path:match("^host/(%w+)/") or ""
end

-- What the file includes by "...", not by <...>.
local function includes_of(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line:match('^%s*#%s*include%s*"([^"]+)"') end
  return list
end

-- What needs a spec: every C file of the rooms, every Lua file of the library.
local function sources()
  local all = find("lua", "%.lua$")
  for _, path in ipairs(find("host", "%.c$")) do all[#all + 1] = path end
  return all
end

-- host/os/clock.c has spec/os/clock_spec.c or spec/host/os/clock_spec.c (or .lua); nil if neither.
local function spec_of(path)
  local whole = path:gsub("%.%w+$", "_spec")
  for _, stem in ipairs { whole:gsub("^%w+/", "spec/", 1), "spec/" .. whole } do
    for _, ending in ipairs { ".c", ".lua" } do
      if exists(stem .. ending) then return stem .. ending end
    end
  end
end

-- The cases that a title names before its colon: "P08-P11, PROBE 2.19" are five.
local function cases_of(title)
  local list = {}
  for word in title:gmatch "[^,]+" do
    local letter, from, to = word:match "^%s*([POFX])(%d%d)%-?%a?(%d*)$"
    from = tonumber(from) or 1
    for number = from, tonumber(to) or letter and from or 0 do list[#list + 1] = ("%s%02d"):format(letter, number) end
    list[#list + 1] = word:match "^%s*PROBE (%d.*)$"
  end
  return list
end

-- Python's cases (spec/support/python_cases.lua) that specs name: case -> path.
local function cases_named()
  local named = {}
  for _, path in ipairs(find("spec", "_spec%.lua$")) do
    local file <close> = assert(io.open(path))
    local text = file:read("a")
    for _, call in ipairs { "it", "describe" } do
      for title in text:gmatch("%f[%w]" .. call .. '%("([^":]+):') do
        for _, case in ipairs(cases_of(title)) do named[case] = path end
      end
    end
  end
  return named
end

describe("layout", function()
  it("shows only the agreed names at the top", function()
    local problems = {}
    for name in lfs.dir(".") do
      if not name:find("^%.") and not contains(TOP, name) then problems[#problems + 1] = name end
    end
    is_empty(problems)
  end)

  it("has rooms that include downward only", function()
    local problems = {}
    for _, path in ipairs(find("host", "%.[ch]$")) do
      local allowed = MAY_INCLUDE[room_of(path)] or {}
      for _, included in ipairs(includes_of(path)) do
        if included:find("..", 1, true) then
          problems[#problems + 1] = ("%s: '..' in an include: %s"):format(path, included)
        elseif not contains(allowed, included:match("^(%w+)/") or "") then
          problems[#problems + 1] = ("%s may not include %s"):format(path, included)
        end
      end
    end
    is_empty(problems)
  end)

  it("keeps every include from host/ on", function()
    local problems = {}
    for _, path in ipairs(find("host", "%.[ch]$")) do
      for _, included in ipairs(includes_of(path)) do
        if not exists("host/" .. included) then
          problems[#problems + 1] = ("%s: no host/%s"):format(path, included)
        end
      end
    end
    is_empty(problems)
  end)

  it("lets the program use the public header only", function()
    local problems = {}
    local PROGRAM = { "editor", "main", "options", "relay", "signals", "terminal", "wide" }
    local may = { "mphost.h" }
    for _, name in ipairs(PROGRAM) do may[#may + 1] = ("app/%s.h"):format(name) end
    for _, name in ipairs(PROGRAM) do
      for _, included in ipairs(includes_of(("host/app/%s.c"):format(name))) do
        if not contains(may, included) then
          problems[#problems + 1] = ("%s.c includes %s"):format(name, included)
        end
      end
    end
    is_empty(problems)
  end)

  it("has no file of more than 600 lines", function()
    local problems = {}
    for _, dir in ipairs { "host", "lua", "scripts", "spec" } do
      for _, path in ipairs(find(dir, "%.[ch]$", "%.lua$", "%.sh$", "%.txt$", "%.cmake$")) do
        local lines = 0
        for _ in io.lines(path) do lines = lines + 1 end
        if lines > MAX_LINES then problems[#problems + 1] = ("%s: %d lines"):format(path, lines) end
      end
    end
    is_empty(problems)
  end)

  it("has a spec for every source file, under its mirror name", function()
    local problems = {}
    for _, path in ipairs(sources()) do
      if not NO_SPEC[path] and not spec_of(path) then problems[#problems + 1] = path end
    end
    is_empty(problems)
  end)

  it("excuses no file that is gone or has its spec", function()
    local problems = {}
    for path in pairs(NO_SPEC) do
      if not exists(path) or spec_of(path) then problems[#problems + 1] = path end
    end
    is_empty(problems)
  end)

  it("has a spec for each of Python's cases, or says why not", function()
    local missing, problems = {}, {}
    for letter, count in pairs(python.count) do
      for number = 1, count do missing[("%s%02d"):format(letter, number)] = true end
    end
    for _, probe in ipairs(python.probes) do missing[probe] = true end
    for case in pairs(python.excused) do
      if not missing[case] then problems[#problems + 1] = case .. " is excused twice, or unknown" end
      missing[case] = nil
    end
    local named = cases_named()
    for case, path in pairs(named) do
      if python.excused[case] then
        problems[#problems + 1] = ("%s is excused, and tried by %s"):format(case, path)
      elseif not missing[case] then
        problems[#problems + 1] = ("%s: there is no case %s"):format(path, case)
      end
    end
    for case in pairs(missing) do
      if not named[case] then problems[#problems + 1] = ("no spec names %s"):format(case) end
    end
    table.sort(problems)
    is_empty(problems)
  end)

  -- A public function is one stored in a table (M.f, Class:f) under a name without '_' in front.
  it("has LuaCATS comments on every public Lua function", function()
    local problems = {}
    local function check(path, number, name, params, comment)
      for param in params:gmatch("[%w_.]+") do
        local documented = param:find("^_") or comment:find("---@param " .. param .. "%??%s")
        if param == "..." then documented = comment:find("---@param ...", 1, true) end
        if not documented then
          problems[#problems + 1] = ("%s:%d: %s: no ---@param %s"):format(path, number, name, param)
        end
      end
      if not comment:find("---%s*%S") then
        problems[#problems + 1] = ("%s:%d: %s: no comment"):format(path, number, name)
      elseif not comment:find("---@", 1, true) and not comment:find("---%s*%u") then
        problems[#problems + 1] = ("%s:%d: %s: no ---@return"):format(path, number, name)
      end
    end
    for _, path in ipairs(find("lua", "%.lua$")) do
      local comment, number = "", 0
      for line in io.lines(path) do
        number = number + 1
        local name, params = line:match("^function%s+([%w_.:]+)%s*%(([^)]*)%)")
        if not name then name, params = line:match("^([%w_]+%.[%w_.]+)%s*=%s*function%s*%(([^)]*)%)") end
        if name and name:find("[.:]%a[%w_]*$") then check(path, number, name, params, comment) end
        comment = line:find("^%-%-%-") and comment .. line .. " \n" or ""
      end
    end
    is_empty(problems)
  end)
end)
