-- The table that scripts/bench.sh --readme puts into README.md.
package.path = "scripts/bench/tool/?.lua;" .. package.path
local readme = require "readme"
local report = require "report"
local tool = require "mphost.tool"

local function row(label, grows)
  return report.rows({ name = "w", grows = grows, figures = { { name = "f", label = label, unit = "us", better = "less",
    targets = {} } } }, { mphost = { f = { 1, 2, 3 } } }, {})[1]
end

describe("readme", function()
  it("has the machine, the command, the table, and how cost grows folded", function()
    local text = readme.text({ row "one", row("two", true) }, "a machine\nmedians\n", "scripts/bench.sh --rounds 5")
    local before, folded = text:match "^(.-)<details>(.*)</details>\n$"
    assert.truthy(before:find("`scripts/bench.sh --rounds 5` printed this. a machine.\nmedians.\n\n| work |", 1, true))
    assert.truthy(before:find("| one | us | 2.00 ±50% |", 1, true), before)
    assert.truthy(folded:find("| two | us | 2.00 ±50% |", 1, true), folded)
    assert.is_nil(before:find "two")
  end)

  it("replaces what stands between its lines and nothing else", function()
    local head, tail = "# title\n" .. readme.FIRST .. "\n", readme.LAST .. "\nafter\n"
    local path = tool.file(head .. "old\nolder\n" .. tail)
    assert.is_true(readme.write(path, "new 100% | a\n"))
    assert.equal(head .. "new 100% | a\n" .. tail, tool.read(path))
    assert.is_true(readme.write(path, "newer\n"))
    assert.equal(head .. "newer\n" .. tail, tool.read(path))
    os.remove(path)
  end)

  it("refuses a file without its lines and leaves it as it is", function()
    local path = tool.file "# title\n"
    local ok, why = readme.write(path, "new")
    assert.is_nil(ok)
    assert.truthy(why:find("has no lines", 1, true), why)
    assert.equal("# title\n", tool.read(path))
    os.remove(path)
    assert.is_nil((readme.write("/nonexistent/file", "new")))
  end)

  it("finds its lines in this house's README", function()
    local whole = tool.read "README.md"
    local _, first = whole:find(readme.FIRST .. "\n", 1, true)
    assert.truthy(first and whole:find("\n" .. readme.LAST .. "\n", first, true))
  end)
end)
