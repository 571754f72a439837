-- No hot path takes more instructions than scripts/bench/baseline.json says, with 5 % allowance. A path that got slower
-- for a good reason, or faster, is written down by `scripts/bench.sh --baseline`.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local count = require "count"
local helper = require "support.helper"
local tool = require "mphost.tool"

local ALLOWANCE = 1.05
local BUILD = os.getenv "MPHOST_BUILD" or "build"

-- Why the baseline says nothing about this build, nil if it does.
local function incomparable(baseline)
  local file <close> = io.open(BUILD .. "/CMakeCache.txt")
  local cache = file and file:read "a" or ""
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return "a build with a sanitizer" end
  if not cache:find("CMAKE_BUILD_TYPE:STRING=RelWithDebInfo", 1, true) then return "not a release build" end
  if cache:find("MPHOST_COVERAGE:BOOL=ON", 1, true) then return "a build that counts lines" end
  if cache:match "CMAKE_C_COMPILER:[^\n]*":find "clang" then return "a build by clang" end
  if not os.execute "valgrind --version >/dev/null 2>&1" then return "no valgrind here" end
  if count.versions() ~= baseline.versions then
    return ("the baseline is for %s, this is %s"):format(baseline.versions, count.versions())
  end
end

describe("hot paths", function()
  local baseline = count.read "scripts/bench/baseline.json"
  local why = incomparable(baseline)

  it("take no more instructions than written down", function()
    if why then
      pending(why)
      return
    end
    helper.deadline(100)
    local problems, seen = {}, {}
    for _, path in ipairs(count.measure(tool.BIN, "scripts/bench/tool")) do
      local known = baseline.paths[path.name]
      seen[path.name] = true
      if not known then
        problems[#problems + 1] = path.name .. ": not in baseline.json; scripts/bench.sh --baseline writes it"
      elseif path.instructions > known * ALLOWANCE then
        problems[#problems + 1] = ("%s: %.0f instructions, %d written down"):format(path.name, path.instructions, known)
      end
    end
    for name in pairs(baseline.paths) do
      if not seen[name] then problems[#problems + 1] = name .. ": in baseline.json, but not counted" end
    end
    assert.equal("", table.concat(problems, "\n"))
  end)
end)
