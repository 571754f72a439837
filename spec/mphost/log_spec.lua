-- mp.log: whole lines on stderr, from a level on.
local tool = require "mphost.tool"

local SAY = [[local mp = require "mphost"
for _, level in ipairs { "debug", "info", "warn", "error" } do mp.log[level]("%s %d", level, 7) end]]

local function levels(command)
  local r = tool.shell(command, SAY)
  assert.same({ 0, "" }, { r.code, r.out })
  local list = {}
  for line in r.err:gmatch "[^\n]+" do
    list[#list + 1] = assert(line:match "^mphost: (%l+): %[MainProcess %d+%] %l+ 7$", line)
  end
  return table.concat(list, " ")
end

describe("mp.log", function()
  it("says what is at or above its level", function()
    assert.equal("warn error", levels "unset MPHOST_LOG; $M $S")
    assert.equal("debug info warn error", levels "MPHOST_LOG=debug $M $S")
    assert.equal("info warn error", levels "$M --log info $S")
    assert.equal("error", levels "MPHOST_LOG=debug $M --log error $S")
    assert.equal("warn error", levels "MPHOST_LOG= $M $S")
  end)

  it("takes text without arguments as it is", function()
    local r = tool.run [[mp.log.warn "100%" mp.log.error(5)]]
    assert.truthy(r.err:find("] 100%%\nmphost: error: %[MainProcess %d+%] 5\n$"), r.err)
  end)

  it("names the process, and keeps the lines of many whole", function()
    local r = tool.run [[
      for i = 1, 4 do
        mp.Process { target = function() for _ = 1, 200 do mp.log.warn(("y"):rep(60)) end end, name = "p" .. i }:start()
      end]]
    local counts = {}
    for line in r.err:gmatch "[^\n]+" do
      local name = assert(line:match("^mphost: warn: %[(p%d) %d+%] " .. ("y"):rep(60) .. "$"), line)
      counts[name] = (counts[name] or 0) + 1
    end
    assert.same({ p1 = 200, p2 = 200, p3 = 200, p4 = 200 }, counts)
  end)
end)
