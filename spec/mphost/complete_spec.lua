-- What could stand at the cursor, without running code.
local complete = require "mphost.complete"

local function never() error "completion ran code" end

local class = { method = function() end, count = 3 }
local roots = { { thing = setmetatable({ own = 1 }, { __index = class, __pairs = never, __metatable = "locked" }),
  trap = setmetatable({ seen = 1 }, { __index = never, __len = never, __call = never }),
  text = "abc", number = 5, print = print, ["not a name"] = 1, _hidden = 1 } }

local function list(folder)
  local folders = { ["."] = { "src/", "main.lua", ".git/" }, ["src/"] = { "a.lua", "b.c" },
    ["./"] = { "mine.lua", "folder/", "other.c" }, ["./folder/"] = { "deep.lua" } }
  return folders[folder]
end

local function of(text)
  local found, replaced = complete.complete(text, roots, list)
  return table.concat(found, " "), replaced
end

describe("complete", function()
  it("finds variables and keywords", function()
    assert.same({ "thing", 3 }, { of "thi" })
    assert.same({ "th", "then thing" }, { "th", (of "th") })
    assert.same({ "print", 2 }, { of "x = 1 + pr" })
    assert.equal("text", (of "'a'..te"))
    assert.equal("", (of "0x1t"))
  end)

  it("finds fields through __index tables, and only methods behind a colon", function()
    assert.equal("count method own", (of "thing."))
    assert.equal("method", (of "thing:"))
    assert.same({ "own", 1 }, { of "(thing.o" })
    assert.equal("", (of "nothing.x"))
    assert.equal("", (of "f().x"))
  end)

  it("knows what strings can do", function()
    assert.equal("find format", (of "text:f"))
    assert.equal("rep reverse", (of "text.re"))
    assert.equal("", (of "number."))
  end)

  it("runs no metamethod", function()
    assert.equal("seen", (of "trap."))
    assert.equal("", (of "trap.x.y"))
    assert.is_nil(complete.resolve("trap.absent", roots))
    assert.equal(class.method, complete.resolve("thing:method", roots))
  end)

  it("finds modules in require, loaded, preloaded or in the path", function()
    local path, cpath = package.path, package.cpath
    package.path, package.cpath = "./?.lua;./?/init.lua", "/nowhere/?.so"
    package.preload.my_preloaded = never
    local found, deep = of 'require "m', of 'require("folder.'
    local prefixed = of "local x = require 'my_p"
    package.path, package.cpath, package.preload.my_preloaded = path, cpath, nil
    assert.truthy((" " .. found .. " "):find(" mine ", 1, true), found)
    assert.equal("folder.deep", deep)
    assert.equal("my_preloaded", prefixed)
  end)

  it("finds files in other strings", function()
    assert.equal("main.lua", (of 'io.open("m'))
    assert.same({ "src/a.lua src/b.c", 4 }, { of 'dofile "src/' })
    assert.equal("src/", (of "x('s"))
    assert.equal("main.lua src/", (of "x('"))
    assert.equal(".git/", (of "x('."))
    assert.equal("", (of "-- don't m"))
  end)

  it("completes the library's own objects", function()
    local mp = require "mphost"
    local pool <close> = mp.Pool(0)
    local found = complete.complete("pool:ma", { { pool = pool } }, list)
    assert.equal("map", found[1])
    found = complete.complete("v:ad", { { v = mp.Value "i" } }, list)
    assert.same({ "add" }, found)
    found = complete.complete("d:up", { { d = mp.Dict() } }, list)
    assert.same({ "update" }, found)
    assert.is_nil(complete.resolve("v.value", { { v = mp.Value "i" } }))
    found = complete.complete("p:is_", { { p = mp.Process(print) } }, list)
    assert.same({ "is_alive" }, found)
  end)
end)
