-- What the source says about a function.
local help = require "mphost.help"
local mp = require "mphost"

-- Adds.
---@param a number  the first
---@return number
local function add(a)
  return a + 1
end

describe("help", function()
  it("shows the comment above a function", function()
    local text = assert(help.comment(add))
    assert.truthy(text:find("^local function add%(a%)\nAdds%.\n  a: number  the first\n  returns number\n%-%- "), text)
    assert.truthy(text:find "help_spec%.lua:8$", text)
  end)

  it("knows the library's own functions, which are built in", function()
    local text = assert(help.comment(mp.Pool))
    assert.truthy(text:find("A pool of workers", 1, true), text)
    assert.truthy(text:find("-- mphost/pool.lua:%d+$"), text)
  end)

  it("shows source", function()
    local text = assert(help.source(add))
    assert.truthy(text:find("^%-%- Adds%..*\nlocal function add%(a%)\n  return a %+ 1\nend\n%-%- "), text)
  end)

  it("finds what was typed by its line", function()
    local f = load("\n\nreturn function() return 7 end", "=stdin")()
    local text = assert(help.source(f, "a = 1\n-- seven\nseven = function() return 7 end"))
    assert.equal("-- seven\nseven = function() return 7 end\n-- stdin:2", text)
  end)

  it("says why it cannot", function()
    assert.same({ nil, "it is written in C" }, { help.comment(print) })
    local nowhere = load("return function() end", "@/nonexistent.lua")()
    assert.same({ nil, "its source is not at hand: /nonexistent.lua" }, { help.source(nowhere) })
    local shifted = load(("\n"):rep(5) .. "return function() end", "=stdin")()
    assert.same({ nil, "its source has changed" }, { help.source(shifted, "one line") })
  end)
end)
