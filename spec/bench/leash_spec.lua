-- Nothing that scripts/bench starts is left, however it ends.
local lfs = require "lfs"
local tool = require "mphost.tool"

local BUILD = os.getenv "MPHOST_BUILD" or "build"
local LEASH = tool.quote(BUILD .. "/bench/leash")
local SLEEPERS = "sleep 1000 & setsid sleep 1000 & "

-- The processes that live and have this in their environment.
local function marked(mark)
  local pids = {}
  for name in lfs.dir "/proc" do
    local file = name:find "^%d+$" and tool.lives(name) and io.open(("/proc/%s/environ"):format(name))
    if file then
      if (file:read "a" or ""):find(mark, 1, true) then pids[#pids + 1] = tonumber(name) end
      file:close()
    end
  end
  return pids
end

describe("leash", function()
  local mark
  before_each(function()
    mark = "BENCH_MARK=" .. os.tmpname()
    os.remove(mark:sub(#"BENCH_MARK=" + 1))
  end)

  it("ends as its program does, whose orphans it kills", function()
    local r = tool.shell(("%s %s 60 sh -c '%s echo here; exit 3'"):format(mark, LEASH, SLEEPERS))
    assert.same({ code = 3, out = "here\n", err = "" }, r)
    assert.same({}, marked(mark))
  end)

  it("kills what takes too long", function()
    local r = tool.shell(("%s %s 1 sh -c 'trap \"\" INT; %s wait'"):format(mark, LEASH, SLEEPERS))
    assert.equal(124, r.code)
    assert.same({}, marked(mark))
  end)

  it("ends when nobody reads what it prints", function()
    local pipe = io.popen(("%s exec %s 60 sh -c 'echo here; %s wait'"):format(mark, LEASH, SLEEPERS))
    assert.equal("here", pipe:read "l")
    assert.is_true((tool.timed(pipe.close, pipe)) < 5)
    assert.same({}, marked(mark))
  end)

  it("says that there is no such program", function()
    local r = tool.shell(("%s 60 /nonexistent/program"):format(LEASH))
    assert.same({ 127, "/nonexistent/program: No such file or directory\n" }, { r.code, r.err })
  end)

  for _, signal in ipairs { "INT", "TERM", "KILL" } do
    it("ends with the runner, of SIG" .. signal, function()
      local folder = tool.folder()
      os.rename(tool.file(SLEEPERS .. "wait"), folder .. "/w.py")
      local script = tool.file(([[
        package.path = "scripts/bench/tool/?.lua;" .. package.path
        local measure = require "measure"
        local list = measure.contestants { mphost = arg[-1], build = %q, python = "/bin/sh", dir = %q }
        measure.work({ name = "w" }, list, 1, 5)
      ]]):format(BUILD, folder))
      local pipe = io.popen(("echo $$; %s exec %s %s 2>/dev/null"):format(mark, tool.quote(tool.BIN), script))
      local pid = pipe:read "n"
      tool.await(function() return #marked(mark) == 5 end) -- runner, leash, shell, two sleepers
      os.execute(("kill -%s %d"):format(signal, pid))
      local seconds, _, how = tool.timed(pipe.close, pipe)
      assert.equal("signal", how)
      assert.is_true(seconds < 5, seconds)
      tool.await(function() return #marked(mark) == 0 end)
      os.remove(script)
      os.remove(folder .. "/w.py")
      lfs.rmdir(folder)
    end)
  end
end)
