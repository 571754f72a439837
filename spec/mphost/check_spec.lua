-- mphost.check: the words of misuse, and the line they name.
local check = require "mphost.check"
local tool = require "mphost.tool"

local raises = tool.raises

-- Functions of a library as the library writes them: whoever calls them is to blame.
local lib = {}
function lib.typed(value) check.type(1, 2, "typed", value, "string") end
function lib.called(value) check.callable(1, 1, "called", value) end
function lib.options(options) check.options(1, "options", options, { chunk = "number|string",
  retries = "number", any = "any" }) end
function lib.size(n) local value = check.size(1, "size", n) return value end
function lib.count(n) local value = check.count(1, "option 'n'", n, 2) return value end

describe("check", function()
  it("checks types", function()
    lib.typed("")
    raises("bad argument #2 to 'typed' (string expected, got number)", function() lib.typed(1) end)
    raises("bad argument #2 to 'typed' (string expected, got nil)", function() lib.typed() end)
  end)

  it("checks what is to be called", function()
    lib.called(print)
    raises("bad argument #1 to 'called' (function expected, got table)", function() lib.called {} end)
  end)

  it("checks options", function()
    lib.options { chunk = 1, retries = 2, any = print }
    lib.options { chunk = "x" }
    lib.options {}
    raises("unknown option 'chunks' to 'options' (did you mean 'chunk'?)", function() lib.options { chunks = 1 } end)
    raises("unknown option 'retreis' to 'options' (did you mean 'retries'?)",
      function() lib.options { retreis = 1 } end)
    raises("unknown option '1' to 'options'", function() lib.options { 5 } end)
    raises("option 'chunk' to 'options': number|string expected, got boolean",
      function() lib.options { chunk = true } end)
  end)

  it("checks whole numbers", function()
    assert.equal(2, lib.count(2))
    assert.equal("integer", math.type(lib.count(3.0)))
    for _, wrong in ipairs { 1, 2.5, "3", true, 0 / 0, math.huge } do
      raises("option 'n': a whole number of at least 2 expected, got " .. tostring(wrong),
        function() lib.count(wrong) end)
    end
  end)

  it("reads variables: none and empty are nil, what is wrong raises", function()
    local std = debug.getregistry()["mphost.std"].os -- the library's own (host/bind/std.h)
    local getenv = std.getenv
    finally(function() std.getenv = getenv end)
    local function read(text) return check.integer(text, 1) end
    local function of(text)
      std.getenv = function(name) return name == "X" and text or nil end
      return check.variable("X", "a number", read)
    end
    assert.same({ nil, nil, 7, 8 }, { of(nil), of "", of "7", of "+8" })
    for _, wrong in ipairs { "0", "-1", "1.5", "0x10", "1e3", "x", " ", "99999999999999999999" } do
      assert.equal(("variable 'X' wants a number, not '%s'"):format(wrong), select(2, pcall(of, wrong)))
    end
  end)

  it("reads sizes", function()
    assert.same({ 0, 7, 1000000, 5, 512 << 20, 3 << 10, 1 << 30, 2 << 40 }, { lib.size(0), lib.size(7), lib.size(1e6),
      lib.size "5", lib.size "512M", lib.size "3K", lib.size "1G", lib.size "2T" })
    assert.same({ 512 << 20, 3 << 10 }, { lib.size "512MB", lib.size "3KiB" })
    assert.equal("integer", math.type(lib.size(3.0)))
    for _, wrong in ipairs { -1, 2.5, "x", "-3", "12Q", "12B", "M", "1.5G", "9999999T", "9" .. ("9"):rep(19), true } do
      raises("size: bytes expected, as a number or like \"512M\", got " .. tostring(wrong),
        function() lib.size(wrong) end)
    end
  end)
end)
