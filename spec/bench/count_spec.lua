-- No hot path takes more instructions than scripts/bench/baseline.json says, with 5 % allowance. A path that got slower
-- for a good reason, or faster, is written down by `scripts/bench.sh --baseline`.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local count = require "count"
local helper = require "support.helper"
local lfs = require "lfs"
local tool = require "mphost.tool"

local ALLOWANCE = 1.05
local BUILD = os.getenv "MPHOST_BUILD" or "build"

-- Why this build is never compared, nil if it is to be.
local function no_release()
  local file <close> = io.open(BUILD .. "/CMakeCache.txt")
  local cache = file and file:read "a" or ""
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return "a build with a sanitizer" end
  if not cache:find("CMAKE_BUILD_TYPE:STRING=RelWithDebInfo", 1, true) then return "not a release build" end
  if cache:find("MPHOST_COVERAGE:BOOL=ON", 1, true) then return "a build that counts lines" end
  if cache:match "CMAKE_C_COMPILER:[^\n]*":find "clang" then return "a build by clang" end
end

-- Why a release is not compared here, nil if it is.
local function incomparable(baseline)
  if not os.execute "valgrind --version >/dev/null 2>&1" then return "no valgrind here" end
  if count.versions() ~= baseline.versions then
    return ("the baseline is for %s, this is %s"):format(baseline.versions, count.versions())
  end
end

local function cannot_count()
  return no_release() or not os.execute "valgrind --version >/dev/null 2>&1" and "no valgrind here" or nil
end

-- A line for the summary of scripts/test.sh.
local function note(...)
  io.write("\nnote: ", string.format(...), "\n")
  io.flush()
end

-- What each path may take.
local function allowed(known)
  local most = {}
  for name, n in pairs(known) do most[name] = n * ALLOWANCE end
  return most
end

describe("hot paths", function()
  local baseline = count.read "scripts/bench/baseline.json"

  it("take no more instructions than written down", function()
    local why = no_release()
    if why then return pending(why) end
    why = incomparable(baseline)
    if why then
      note("NOTHING WAS COMPARED to scripts/bench/baseline.json: %s", why)
      return pending("NOTHING WAS COMPARED: " .. why)
    end
    helper.deadline(200)
    local counted = count.measure(tool.BIN, "scripts/bench/tool", allowed(baseline.paths))
    local problems, faster = count.compare(counted, baseline.paths, ALLOWANCE)
    if #faster > 0 then
      note("hot paths that became faster (scripts/bench.sh --baseline writes that down):\nnote:   %s",
        table.concat(faster, "\nnote:   "))
    end
    assert.equal("", table.concat(problems, "\n"))
  end)

  it("are problems when slower, unknown or not counted, and news when faster", function()
    local counted = {
      { name = "same", instructions = 104.9 }, { name = "slow", instructions = 105.1 },
      { name = "fast", instructions = 95.1 }, { name = "faster", instructions = 94.9 },
      { name = "new", instructions = 1 },
    }
    local known = { same = 100, slow = 100, fast = 100, faster = 100, gone = 5 }
    local problems, faster = count.compare(counted, known, ALLOWANCE)
    assert.same({
      "slow: 105 instructions, 100 written down", "new: not in baseline.json; scripts/bench.sh --baseline writes it",
      "gone: in baseline.json, but not counted",
    }, problems)
    assert.same({ "faster: 95 instructions, 100 written down" }, faster)
  end)

  it("are counted again when they take too much, and only they", function()
    if cannot_count() then return pending(cannot_count()) end
    helper.deadline(100)
    local folder = tool.folder()
    -- Takes more and more often than it may, but every fifth time.
    local text = tool.read "scripts/bench/tool/paths.lua":match "^(.-)local queue"
    local file <close> = assert(io.open(folder .. "/paths.lua", "w"))
    file:write(text, ([[
      local count = tonumber((io.open(%q):read "a")) + 1
      io.open(%q, "w"):write(count)
      path("calm", 10, function(n) for _ = 1, n do local _ = {} end end)
      path("moody", 10, function(n) for _ = 1, n * (count %% 5 == 0 and 1 or 1000) do local _ = {} end end)
    ]]):format(folder .. "/n", folder .. "/n"))
    file:close()
    local function measured(most)
      assert(os.rename(tool.file "0", folder .. "/n"))
      local paths = count.measure(tool.BIN, folder, most)
      return paths[2].instructions / paths[1].instructions, tonumber(tool.read(folder .. "/n"))
    end
    local ratio, runs = measured(nil)
    assert.is_true(ratio > 10, ratio)
    assert.equal(3, runs)
    ratio, runs = measured { calm = 1e9, moody = 1e4 }
    assert.is_true(ratio < 2, ratio)
    assert.equal(5, runs)
    os.remove(folder .. "/n")
    os.remove(folder .. "/paths.lua")
    assert(lfs.rmdir(folder))
  end)

  it("leave nothing when counting is interrupted", function()
    if cannot_count() then return pending(cannot_count()) end
    helper.deadline(60)
    local folder = tool.folder()
    local pipe = io.popen(("echo $$; TMPDIR=%s exec %s scripts/bench/tool/count.lua 2>/dev/null")
      :format(folder, tool.quote(tool.BIN)))
    local pid = pipe:read "n"
    local function inside()
      local n = 0
      for name in lfs.dir(folder) do n = n + (name:find "^%." and 0 or 1) end
      return n
    end
    tool.await(function() return inside() == 1 end)
    os.execute("kill -INT " .. pid)
    local _, how, code = pipe:close()
    assert.same({ "signal", 2, 0 }, { how, code, inside() })
    assert(lfs.rmdir(folder))
  end)
end)
