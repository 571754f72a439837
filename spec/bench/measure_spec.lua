-- How scripts/bench runs a work and its twins: here they are shell scripts.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local lfs = require "lfs"
local measure = require "measure"
local tool = require "mphost.tool"

local BUILD = os.getenv "MPHOST_BUILD" or "build"

describe("measure", function()
  local folder
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
  end)
  after_each(function()
    for name in lfs.dir(folder) do os.remove(folder .. "/" .. name) end
    assert(lfs.rmdir(folder))
  end)

  -- What two rounds of the work give.
  local function run(mphost, python)
    assert(os.rename(tool.file(mphost), folder .. "/w.lua"))
    os.remove(folder .. "/w.py")
    if python then assert(os.rename(tool.file(python), folder .. "/w.py")) end
    local setup = { mphost = "/bin/sh", python = "/bin/sh", build = BUILD, dir = folder }
    local all = measure.contestants(setup)
    return measure.work({ name = "w" }, { all[1], all[2] }, 0.5, 2)
  end

  it("keeps what each round prints", function()
    local samples, absent, failures, broken = run("echo f 1; echo g $1", "echo f 2")
    assert.same({ mphost = { f = { 1, 1 }, g = { 0.5, 0.5 } }, python = { f = { 2, 2 } } }, samples)
    assert.same({ {}, {}, {} }, { absent, failures, broken })
    samples, absent = run "echo absent reason"
    assert.same({ { mphost = {} }, { mphost = "reason" } }, { samples, absent })
  end)

  it("tells what failed, how, and once", function()
    local samples, _, failures, broken = run("echo f 1", "echo f 2; echo oh; exit 1")
    assert.same({ { mphost = { f = { 1, 1 } } }, { python = true } }, { samples, broken })
    assert.equal(1, #failures)
    assert.truthy(failures[1]:find "w.py' 0.5 \nf 2\noh\n$", failures[1])
    _, _, failures, broken = run("echo what is this", "kill -9 $$")
    assert.same({ mphost = true, python = true }, broken)
    assert.equal(2, #failures)
  end)

  it("has all twins agree on their results", function()
    local samples, _, failures, broken = run("echo f 1; echo check sum 7; echo check n 1", "echo f 2; echo check sum 7")
    assert.same({ { mphost = { f = { 1, 1 } }, python = { f = { 2, 2 } } }, {}, {} }, { samples, failures, broken })
    _, _, failures, broken = run("echo f 1; echo check sum 7", "echo f 2; echo check sum 8")
    assert.same({ python = true }, broken)
    assert.truthy(failures[1]:find "\nsum is 8, not 7 as before$", failures[1])
  end)
end)
