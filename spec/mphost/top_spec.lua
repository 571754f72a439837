-- `mphost --top PID`: a family looked at from outside.
local core = require "mphost.core"
local mp = require "mphost"
local screen = require "support.screen"
local tool = require "mphost.tool"
local top = require "mphost.top"

-- The table's rows, as lists of words; the first is the head.
local function rows_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    rows[#rows + 1] = {}
    for word in line:gmatch "%S+" do table.insert(rows[#rows], word) end
  end
  return rows
end

local function states(rows)
  local list = {}
  for i = 2, #rows do list[i - 1] = rows[i][3] end
  table.sort(list)
  return table.concat(list, " ")
end

-- A program with a process, and a pool of which one worker is busy and one has nothing to do: its pipe and pid.
local function busy()
  local pipe, pid = tool.start [[
    local begun = mp.Queue()
    mp.Process { target = mp.sleep, args = { 1000 }, daemon = true }:start()
    local pool = mp.Pool(2)
    pool:map(math.abs, { 1, 2, 3, 4 })
    local f = pool:submit(function() begun:put(mp.current_process().pid) mp.sleep(1000) end)
    print(begun:get())
    f:get()]]
  local worker = pipe:read("n", "l")
  tool.await(function() -- the idle one may not have come yet
    local text = top.table(pid)
    return text and states(rows_of(text)) == "busy idle runs runs"
  end)
  return pipe, pid, worker
end

describe("top", function()
  it("tables the processes of another family, what they do and have done", function()
    local pipe, pid, worker = busy()
    local text = assert(top.table(pid))
    tool.kill(pid)
    pipe:close()
    local rows = rows_of(text)
    assert.equal("busy idle runs runs", states(rows))
    assert.same({ tostring(pid), "-", "runs", "-", "-", "-", "-", "-" }, table.move(rows[2], 1, 8, 1, {}))
    local done = 0
    for i = 3, 5 do
      assert.equal(tostring(pid), rows[i][2])
      assert.is_true(tonumber(rows[i][9] .. "") == nil or tonumber(rows[i][9]) > 0.5)
      if rows[i][3] == "busy" then assert.same({ tostring(worker), "1" }, { rows[i][1], rows[i][4] }) end
      if rows[i][3] ~= "runs" then
        assert.equal("0", rows[i][7])
        done = done + tonumber(rows[i][6])
      end
    end
    assert.equal(4, done)
  end)

  it("finds the family by any of its members, and forgets the dead", function()
    local pipe, pid, worker = busy()
    local text = assert(top.table(worker))
    assert.equal("busy idle runs runs", states(rows_of(text)))
    assert.equal(tostring(pid), rows_of(text)[2][1])
    tool.kill(pid)
    pipe:close()
    tool.await_gone { worker }
    assert.is_nil((top.table(pid)))
  end)

  it("looks at its own family, too, and makes no memory of what was never written", function()
    local before = core.shm_used()
    local p = mp.spawn(mp.sleep, 1000)
    tool.await(function() -- it comes when it has been forked
      for _, each in ipairs(core.peek(mp.current_process().pid)) do
        if each.pid == p.pid then return each.parent == 0 end
      end
      return false
    end)
    p:kill()
    p:close()
    assert.is_true(core.shm_used() <= before)
  end)

  it("says why there is nothing to see", function()
    for pid, why in pairs { ["4194305"] = "no such process",
                            ["$$"] = "it has no processes, pools or queues of mphost's" } do
      local r = tool.shell(("$M --top %s || echo $? %s"):format(pid, pid))
      local code, asked = r.out:match "^(%d+) (%d+)\n$"
      assert.same({ "1", ("mphost: --top %s: %s\n"):format(asked, why) }, { code, r.err })
    end
    for _, wrong in ipairs { "", "0", "-1", "x", "1.5" } do assert.equal(2, tool.shell("$M --top=" .. wrong).code) end
    tool.raises("no process has that number", function() core.peek(1 << 40) end)
  end)

  it("shows the table once to a pipe, and on a screen until the family is gone", function()
    local pipe, pid = busy()
    local r = tool.shell("$M --top " .. pid)
    assert.same({ 0, "" }, { r.code, r.err })
    assert.equal("busy idle runs runs", states(rows_of(r.out)))
    if screen.available() then
      local s <close> = screen.open { command = "$M --top " .. pid }
      s:wait("^mphost " .. pid .. ", %d%d:%d%d:%d%d\n +PID +PARENT .*\n +" .. pid .. " .*busy")
      tool.kill(pid)
      s:wait "EXIT=0$"
    end
    tool.kill(pid)
    pipe:close()
  end)
end)
