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

  it("knows what is written in C", function()
    local q, lock, event = mp.Queue(), mp.Lock(), mp.Event()
    local text = assert(help.comment(q.put))
    assert.truthy(text:find("^Queue:put%(value, timeout%)\nPuts a message, whole.*\n  value: any "), text)
    assert.truthy(text:find "\n%-%- it is written in C$", text)
    assert.truthy(help.comment(lock.close):find "^Lock:close%(%)\nDrops the handle; what")
    assert.truthy(help.comment(event.close):find "^Event:close%(%)\nDrops the handle%.")
    assert.truthy(help.class(q):find "^Messages between processes.*\nmethods: put try_put")
    assert.is_nil(help.class(io.stdout))
    assert.is_nil(help.class {})
  end)

  it("has a comment for each function of the library and each method of its objects", function()
    local function check(methods, what)
      local count = 0
      for name, f in pairs(methods) do
        if type(f) == "function" and name:sub(1, 1) ~= "_" then
          local text, why = help.comment(f, nil, name)
          assert.truthy(text, ("%s.%s: %s"):format(what, name, why))
          assert.falsy(text:find("(no comment)", 1, true), ("%s.%s: %s"):format(what, name, text))
          count = count + 1
        end
      end
      assert.is_true(count > 0, what)
    end
    check(mp, "mp")
    check(mp.log, "mp.log")
    local pool <close> = mp.Pool(0)
    local a, b = mp.Pipe()
    for what, object in pairs { Queue = mp.Queue(), Value = mp.Value "i", Array = mp.Array("i", 1), Dict = mp.Dict(),
                                Lock = mp.Lock(), Semaphore = mp.Semaphore(), Event = mp.Event(), Connection = a or b,
                                BoundedSemaphore = mp.BoundedSemaphore(), Condition = mp.Condition(),
                                Barrier = mp.Barrier(1), Pool = pool, Process = mp.Process(print),
                                Future = pool:submit(math.abs, 1) } do
      local meta = debug.getmetatable(object)
      check(meta.__methods or meta.__index, what)
    end
    a:close()
    b:close()
  end)

  it("finds the comment where a function made by another one gets its name", function()
    local text = assert(help.comment(mp.Process(print).kill, nil, "kill"))
    assert.truthy(text:find '^methods.kill = signaller%("kill", 9%)\nSends SIGKILL%.\n', text)
  end)

  it("says why it cannot", function()
    assert.same({ nil, "it is written in C" }, { help.comment(print) })
    assert.same({ nil, "it is written in C: there is no source in Lua to show" }, { help.source(print) })
    local nowhere = load("return function() end", "@/nonexistent.lua")()
    assert.same({ nil, "its source is not at hand: /nonexistent.lua" }, { help.source(nowhere) })
    local shifted = load(("\n"):rep(5) .. "return function() end", "=stdin")()
    assert.same({ nil, "its source has changed" }, { help.source(shifted, "one line") })
  end)
end)
