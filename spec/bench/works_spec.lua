-- Every work of scripts/bench and every twin that this machine can run, in a very short form: each prints its figures.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local helper = require "support.helper"
local json = require "dkjson"
local lfs = require "lfs"
local measure = require "measure"
local readme = require "readme"
local tool = require "mphost.tool"
local works = require "works"

local DIR = "scripts/bench"
local SCALE = 0.005
local BUILD = os.getenv "MPHOST_BUILD" or "build"
local PYTHON = "/usr/bin/python3"

local plain = (os.getenv "MPHOST_SANITIZE" or "") == "" -- the twins are the same in every build: once is enough
local contestants = measure.contestants {
  mphost = tool.BIN, build = BUILD, dir = DIR, python = lfs.attributes(PYTHON, "mode") and PYTHON,
}
if not plain then contestants = { contestants[1] } end

local function names_of(figures)
  local names = {}
  for name in pairs(figures) do names[#names + 1] = name end
  table.sort(names)
  return names
end

describe("bench", function()
  for _, work in ipairs(works) do
    it("runs " .. work.name, function()
      helper.deadline(60)
      local samples, absent, failures = measure.work(work, contestants, SCALE, 1)
      assert.same({}, failures)
      local wanted = {}
      for _, figure in ipairs(work.figures) do wanted[figure.name] = true end
      if not absent.mphost then assert.same(names_of(wanted), names_of(samples.mphost)) end
      for name, figures in pairs(samples) do
        assert.is_truthy(absent[name] or next(figures), name .. " prints nothing")
        for figure, values in pairs(figures) do
          assert.is_true(wanted[figure:gsub("%.lua$", "")], name .. " prints an unknown " .. figure)
          assert.is_true(values[1] >= 0 and values[1] < 1e12, ("%s: %s is %s"):format(name, figure, values[1]))
        end
      end
    end)
  end

  it("has a label for each row", function()
    local seen = {}
    for _, work in ipairs(works) do
      for _, figure in ipairs(work.figures) do
        assert.is_nil(seen[figure.label], figure.label)
        seen[figure.label] = true
      end
    end
  end)

  it("has each file beside a work in the list", function()
    local listed, problems = { machine = true }, {}
    for _, work in ipairs(works) do listed[work.name] = true end
    for name in lfs.dir(DIR) do
      local stem = name:match "^([%w_]+)%.[%w.]+$"
      if stem and name ~= "CMakeLists.txt" and name ~= "baseline.json" and not listed[stem] then
        problems[#problems + 1] = name
      end
    end
    assert.same({}, problems)
  end)

  it("maps lists, as the twins do: the plain loop beside a map would pay for a range's function", function()
    for name in lfs.dir(DIR) do
      if name:find "%.lua$" then assert.is_nil(tool.read(DIR .. "/" .. name):find("mp.range", 1, true), name) end
    end
  end)

  it("prints one table and writes the same as JSON", function()
    if not plain then return end
    helper.deadline(60)
    local file, drawn = os.tmpname(), os.tmpname()
    local r = tool.shell(("$M %s/tool/run.lua --build '%s' --rounds 2 --quick --json %s --html %s value_add lock lock")
      :format(DIR, BUILD, file, drawn))
    local encoded, page = tool.take(file), tool.take(drawn)
    local written = json.decode(encoded)
    assert.equal(0, r.code, r.err)
    assert.truthy(r.out:find("\nwork +unit +mphost +Python +best Lua peer +C +C from Lua +x Python"), r.out)
    assert.truthy(r.out:find "\nv:add%(1%), alone +M/s +%d")
    assert.truthy(r.out:find "round trip: %d")
    assert.same({ "value_add", "value_add", "lock" },
      { written.rows[1].work, written.rows[2].work, written.rows[3].work })
    assert.equal(4, #written.rows)
    assert.equal(2, #written.rows[1].mphost.values) -- as --rounds says, --quick or not
    assert.truthy(r.out:find "medians of 2 rounds")
    assert.is_number(written.machine.before.pingpong)
    local about = tool.shell("$M -v").out:match "^[^\n]+"
    assert.equal(about, written.machine.mphost)
    local foot = r.out:match "\n([^\n]+)\n$"
    assert.truthy(foot:find(about, 1, true) and page:find("<p>" .. foot .. "</p>", 1, true), foot)
    local previous = "" -- the keys of the outermost table, and of the first row
    for key in encoded:gmatch '\n  "(%w+)":' do assert.is_true(previous < key, key) previous = key end
    previous = ""
    for key in encoded:match '"rows":%b[]':match "%b{}":gmatch '\n      "([%w_]+)":' do
      assert.is_true(previous < key, key)
      previous = key
    end
    assert.equal("work", previous)
    assert.equal(4, select(2, page:gsub('<div class="row">', "")))
    assert.truthy(page:find("scripts/bench.sh --quick --rounds 2 value_add lock<", 1, true))
  end)

  it("shows a twin that failed, and fails", function()
    if not plain then return end
    helper.deadline(60)
    local file = os.tmpname()
    local r = tool.shell(("$M %s/tool/run.lua --build '%s' --quick --python /bin/false --json %s value_add")
      :format(DIR, BUILD, file))
    assert.equal(1, r.code)
    assert.truthy(r.err:find "failed: [^\n]*/bin/false", r.err)
    assert.truthy(r.out:find "\nv:add%(1%), alone +M/s +%d[%d.]+ ±0%% +failed +%d", r.out)
    assert.same({ "python" }, json.decode(tool.take(file)).rows[1].failed)
  end)

  it("says what it could not write", function()
    if not plain then return end
    helper.deadline(60)
    local r = tool.shell(("$M %s/tool/run.lua --build '%s' --quick --json /dev/full value_add >/dev/full")
      :format(DIR, BUILD))
    assert.equal(1, r.code)
    assert.truthy(r.err:find("bench: /dev/full: No space left on device\n", 1, true), r.err)
    assert.truthy(r.err:find("bench: No space left on device\n", 1, true), r.err)
  end)

  it("has scripts/bench.sh refuse before it installs or builds anything", function()
    local function refused(options, why)
      local r = tool.shell("scripts/bench.sh --no-install " .. options)
      assert.same({ code = 2, out = "", err = "bench.sh: " .. why .. "\n" }, r)
    end
    refused("--json", "--json needs a file")
    refused("--html --quick", "--html needs a file")
    refused("--rounds", "--rounds needs a whole number from 1 on")
    refused("--rounds 0", "--rounds needs a whole number from 1 on")
    refused("--rounds --quick lock", "--rounds needs a whole number from 1 on")
    refused("--loud", "unknown option '--loud'")
    refused("lock no_such_work", "no work 'no_such_work': there is no scripts/bench/no_such_work.lua")
    refused("--baseline lock", "--baseline is all or nothing: it goes with nothing else")
    refused("--quick --baseline", "--baseline is all or nothing: it goes with nothing else")
  end)

  it("refuses at once what it does not know or could not do", function()
    local function refused(options, why)
      local r = tool.shell(("$M %s/tool/run.lua --build '%s' %s"):format(DIR, BUILD, options))
      assert.same({ 2, "bench: " .. why .. "\n" }, { r.code, r.err })
    end
    refused("no_such_work", "no work 'no_such_work' in tool/works.lua")
    refused("--loud", "unknown option '--loud'")
    for _, n in ipairs { "0", "-1", "1.5", "1e1", "many" } do
      refused("lock --rounds " .. n, n == "-1" and "option '--rounds' needs a value" or
        ("--rounds needs a whole number from 1 on, not '%s'"):format(n))
    end
    refused("--readme README.md lock", "--readme wants all works, whole")
    refused("lock --json", "option '--json' needs a value")
    refused("--json --quick lock", "option '--json' needs a value")
    refused("--html /dev/null/page lock", "/dev/null/page: Not a directory")
    refused("--json /tmp lock", "/tmp: Is a directory")
    refused("--readme /dev/null", ("/dev/null has no lines '%s' and '%s'"):format(readme.FIRST, readme.LAST))
  end)
end)
