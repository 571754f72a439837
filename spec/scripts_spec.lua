-- Every script of scripts/: run as a user does, its whole output checked.
local lfs = require "lfs"
local tool = require "mphost.tool"

-- What each prints; sorted lines where the order is open.
local OUTPUT = {
  process = "0\n1\n2\n3\n4\n",
  squares = "1 4 9 16\n",
  value = "11\n",
  queue = "Hello from process\n",
  double = "0 2 4 6 8 10 12 14 16 18\n",
}

local function run(name, ...)
  return tool.shell(("$M scripts/%s.lua %s"):format(name, table.concat({ ... }, " ")))
end

local function write(path, text)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
end

describe("scripts", function()
  for name, output in pairs(OUTPUT) do
    it("has " .. name .. ".lua print what its Python twin prints", function()
      assert.same({ code = 0, out = output, err = "" }, run(name))
    end)

    it("has " .. name .. ".lua run unchanged in a stock lua5.4", function()
      if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "lua5.4 itself is not instrumented" end
      local line = ("LUA_CPATH='%s/?.so;;' lua5.4 scripts/%s.lua"):format(os.getenv "MPHOST_BUILD" or "build", name)
      assert.same({ code = 0, out = output, err = "" }, tool.shell(line))
    end)
  end

  it("has pi.lua print the same digits whoever works", function()
    local first = run("pi", 200000, 1)
    assert.same({ 0, "" }, { first.code, first.err })
    assert.truthy(first.out:find("^3%.1%d+\n$"), first.out)
    for _, workers in ipairs { 2, 3, 8, 0 } do assert.same(first, run("pi", 200000, workers)) end
  end)

  it("has two.lua print its two lines in any order", function()
    local r = run "two"
    assert.same({ 0, "" }, { r.code, r.err })
    assert.is_true(r.out == "Process 1\nProcess 2\n" or r.out == "Process 2\nProcess 1\n", r.out)
  end)

  it("has wordcount.lua count the words of a folder", function()
    local folder = tool.folder()
    assert(lfs.mkdir(folder .. "/sub"))
    -- word k stands 20 - k times, half of that in each file; the eleventh must not be printed
    local words, lines = {}, {}
    for k = 1, 11 do words[k] = ("abcdefghijk"):sub(k, k):rep(3) end
    local text = {}
    for k, word in ipairs(words) do
      text[k] = (word .. "(1);\n"):rep(20 - k)
      lines[k] = ("%8d  %s"):format(2 * (20 - k), word)
    end
    local all = table.concat(text)
    write(folder .. "/one.h", all)
    write(folder .. "/sub/two.h", all)
    write(folder .. "/other.txt", all)
    local r = run("wordcount", folder)
    for _, name in ipairs { "/one.h", "/sub/two.h", "/other.txt" } do os.remove(folder .. name) end
    lfs.rmdir(folder .. "/sub")
    lfs.rmdir(folder)
    assert.same({ 0, "" }, { r.code, r.err })
    local head, rest = r.out:match("^(.-\n)(serial.*)$")
    assert.equal(table.concat(lines, "\n", 1, 10) .. ("\n2 files, %d bytes\n"):format(2 * #all), head)
    assert.truthy(rest:find(
      "^serial %d+%.%d%d s, parallel %d+%.%d%d s on %d+ workers, speed%-up %d+%.%d%d\n$"), rest)
  end)

  it("has no script without a case here, and none of the tutorial's over 20 lines", function()
    local problems = {}
    for name in lfs.dir "scripts" do
      local stem = name:match "^(.*)%.lua$"
      if stem and not OUTPUT[stem] and stem ~= "two" and stem ~= "wordcount" and stem ~= "pi" then
        problems[#problems + 1] = name .. ": no case"
      elseif stem and stem ~= "wordcount" and stem ~= "pi" then
        local lines = 0
        for _ in io.lines("scripts/" .. name) do lines = lines + 1 end
        if lines > 20 then problems[#problems + 1] = ("%s: %d lines"):format(name, lines) end
      end
    end
    assert.same({}, problems)
  end)
end)
