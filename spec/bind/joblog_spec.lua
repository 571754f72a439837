-- --joblog: a line for each item that has ended, whatever became of it.
local helper = require "support.helper"
local tool = require "mphost.tool"

local COLUMNS = { "start", "seconds", "pid", "worker", "call", "index", "outcome" }

-- What the script left in the log: its first line and the others by column; and how it ended.
local function run(script, command, before)
  local path = tool.file(before or "")
  local r = tool.shell((command or "$M --joblog FILE $S"):gsub("FILE", path),
    'local mp = require "mphost" ' .. script)
  local lines, head = {}, nil
  for text in io.lines(path) do
    local line, i = {}, 0
    for field in (text .. "\t"):gmatch "([^\t]*)\t" do
      i = i + 1
      line[COLUMNS[i]] = field
    end
    assert.equal(#COLUMNS, i, text)
    if head then lines[#lines + 1] = line else head = text end
  end
  os.remove(path)
  return lines, head, r
end

-- "index outcome" of all, sorted.
local function outcomes(lines)
  local list = {}
  for i, line in ipairs(lines) do list[i] = line.index .. " " .. line.outcome end
  table.sort(list)
  return table.concat(list, ", ")
end

describe("the job log", function()
  it("has a line for each item, with when, how long, where and by whom", function()
    local before = os.time()
    local lines, head, r = run([[
      local pool <close> = mp.Pool { workers = 2, name = "P" }
      print(pool:map(function() mp.sleep(0.05) return mp.current_process().pid end, { 1, 2, 3 })[3])]])
    assert.same({ 0, "" }, { r.code, r.err })
    assert.equal(table.concat(COLUMNS, "\t"), head)
    assert.equal("1 ok, 2 ok, 3 ok", outcomes(lines))
    for _, line in ipairs(lines) do
      assert.truthy(line.start:find "^%d+%.%d%d%d%d%d%d$")
      assert.is_true(tonumber(line.start) >= before and tonumber(line.start) <= os.time() + 1)
      assert.is_true(tonumber(line.seconds) >= 0.05 and tonumber(line.seconds) < 5)
      assert.truthy(line.worker:find "^P%-[12]$")
      assert.truthy(line.call:find "^/tmp/lua_%w+:2$", line.call)
      if line.index == "3" then assert.equal(r.out, line.pid .. "\n") end
    end
  end)

  it("tells what became of each, also of those who could not write a line themselves", function()
    helper.deadline(20)
    local lines, _, r = run [[
      local core = require "mphost.core"
      local pool <close> = mp.Pool { workers = 2, retries = 1 }
      local _, failed = pool:map(function(i)
        if i == 2 then error "x" end
        if i == 3 then io.popen("kill -9 " .. core.pid()):close() end
        if i == 4 then os.exit(4) end
        if i == 5 then while true do end end
        if i == 6 then return io.stdout end
      end, { 1, 2, 3, 4, 5, 6, 7 }, { on_error = "collect", timeout = 0.3, chunk = 3 })
      for i = 2, 6 do assert(failed[i]) end]]
    assert.same({ 0, "" }, { r.code, r.err })
    assert.equal("1 ok, 2 error, 3 crash, 3 crash, 4 exit, 5 timeout, 6 error, 7 ok", outcomes(lines))
    for _, line in ipairs(lines) do
      assert.truthy(line.worker:find "^Pool%-1%-[12]$")
      assert.is_true((tonumber(line.seconds) >= 0.3) == (line.outcome == "timeout"), line.seconds)
    end
  end)

  it("says memory of a worker that had too much, and was killed for it", function()
    helper.deadline(20)
    if os.getenv "MPHOST_SANITIZE" ~= "" and os.getenv "MPHOST_SANITIZE" then return pending "sanitizer" end
    local lines, _, r = run(("package.cpath = %q"):format(package.cpath) .. [[
      local pool <close> = mp.Pool { workers = 1, memory = "64M" }
      local _, failed = pool:map(function() require("probe").eat(200, 600) end, { 1 }, { on_error = "collect" })
      assert(failed[1].kind == "memory")]])
    assert.same({ 0, "" }, { r.code, r.err })
    assert.equal("1 memory", outcomes(lines))
  end)

  it("counts as the call does, in every kind of call", function()
    local lines = run [[
      local pool <close> = mp.Pool(1)
      for _ in pool:imap(math.abs, mp.range(1, 5), { chunk = 2 }) do end
      pool:apply(function() return pool:map(math.abs, { -1 }) end)
      local here <close> = mp.Pool(0)
      here:map(math.abs, { -1, -2 })
      mp.map(math.abs, { -1 })]]
    assert.equal("1 ok, 1 ok, 1 ok, 1 ok, 1 ok, 2 ok, 2 ok, 3 ok, 4 ok, 5 ok", outcomes(lines))
    local by = {}
    for _, line in ipairs(lines) do by[line.worker] = (by[line.worker] or "") .. line.index end
    assert.same({ ["Pool-1-1"] = "1234511", MainProcess = "12", ["Pool-3-1"] = "1" }, by)
  end)

  it("is begun anew by the option, added to by the variable, and nobody's business with -E", function()
    local script = "mp.Pool(0):map(math.abs, { 1 })"
    assert.equal("1 ok", outcomes((run(script, nil, "old\n"))))
    local variable = "MPHOST_JOBLOG=FILE $M $S; MPHOST_JOBLOG=FILE $M --joblog=FILE.b $S; MPHOST_JOBLOG=FILE $M $S; " ..
      "rm FILE.b; MPHOST_JOBLOG=FILE $M -E $S"
    assert.equal("1 ok, 1 ok", outcomes((run(script, variable))))
    -- A script that goes elsewhere and starts programs.
    local nested = run("os.execute('cd /; ' .. arg[1] .. [[ -e 'require \"mphost\".Pool(0):map(math.abs, {1, 2})']])",
      "M=$(realpath $M); cd /tmp; $M --joblog $(basename FILE) $S $M")
    assert.equal("1 ok, 2 ok", outcomes(nested))
  end)

  it("says what is wrong with its file", function()
    local r = tool.shell "$M --joblog /proc/nonexistent/log -e 'print(1)'"
    assert.same({ 1, "" }, { r.code, r.out })
    assert.truthy(r.err:find("^mphost: cannot write the job log '/proc/nonexistent/log': No such file"), r.err)
    assert.equal(2, tool.shell("$M --joblog").code)
    assert.equal(2, tool.shell("$M --joblog= -e 'print(1)'").code)
    r = tool.shell "MPHOST_JOBLOG=/proc/nonexistent/log $M -e 'print(1)'"
    assert.equal(1, r.code)
    assert.truthy(r.err:find("cannot write the job log '/proc/nonexistent/log'", 1, true), r.err)
    r = tool.shell "$M --joblog /dev/full -l mphost"
    assert.equal(1, r.code)
    assert.truthy(r.err:find("cannot write the job log '/dev/full': No space left", 1, true), r.err)
  end)
end)
