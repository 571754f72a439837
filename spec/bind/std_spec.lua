-- The library goes on whatever a script does to the globals it knows Lua's library by.
local tool = require "mphost.tool"

local SLIPS = { "table = {1, 2, 3}", "table.sort, table.unpack, table.pack = nil", "pairs = 5", "ipairs = 5", "_G = 5",
  "rawget, rawset = 5", "pcall = 5", "tostring = 3", "io = 5", 'type = "x"', "utf8 = 5", "xpcall = 5", "load = 5",
  "require = 5", "package = 5", "setmetatable, getmetatable = nil", "os = 5", "math = 5", "string = 5", "next = nil",
  "debug = 5", "error, assert, select = nil" }

local USE = [[
local pool = mp.Pool(2)
local doubled = pool:map(function(x) return x * 2 end, { 1, 2, 3 })
pool:close()
local q = mp.Queue()
mp.spawn(function() q:put(doubled[3]) end):join()
say(q:get())
]]

describe("the library's own names", function()
  for _, slip in ipairs(SLIPS) do
    it("serve the prompt after " .. slip, function()
      local r = tool.shell("timeout 20 $M -i", nil, slip
        .. "\n1 + 1\nmp.map(function(x) return x * 2 end, {1, 2, 3})[3]\nq = mp.Queue()\n:ps\nmp.Pool?\n{'a'}\n")
      assert.equal(0, r.code)
      assert.truthy(r.out:find("^2\n6\nNAME .-\nq +queue .-A pool of workers.-{\"a\"}\n$"), r.out .. r.err)
      assert.truthy(r.err:find("\n" .. ("mp> "):rep(8) .. "\n$"), r.err)
    end)

    it("serve a script after " .. slip, function()
      local text = "local mp, print = require 'mphost', print\nlocal function say(x) print(x) end\n%s\n" .. USE
      local r = tool.run(text:format(slip))
      assert.same({ code = 0, out = "6\n", err = "" }, { code = r.code, out = r.out, err = r.err })
    end)

    it("serve a process that inherits nothing after " .. slip, function()
      local text = "local mp, print, rep = require 'mphost', print, string.rep\nmp.start_method 'spawn'\n%s\n"
        .. "local p = mp.spawn(rep, 'x', 1)\nprint(p:join(), p:status())"
      local r = tool.run(text:format(slip))
      assert.equal(0, r.code, r.err)
    end)
  end

  it("leave the user's globals as they are, also those of Lua", function()
    local r = tool.run [[
      local before = {}
      for k, v in pairs(_G) do before[k] = v end
      local mp = require "mphost"
      mp.map(math.abs, { 1 })
      for k, v in pairs(_G) do assert(before[k] == v, k) end
      assert(debug.getregistry()["mphost.std"].table ~= table and debug.getregistry()["mphost.std"]._G == _G)]]
    assert.equal(0, r.code, r.err)
  end)

  it("end a prompt that fails before it can read, instead of trying for ever", function()
    local r = tool.shell("timeout 20 $M -i", nil,
      "_PROMPT = setmetatable({}, {__tostring = function() error 'no text' end})\n1 + 1\n")
    assert.equal(1, r.code)
    local _, times = r.err:gsub("no text", "")
    assert.equal(5, times)
    assert.truthy(r.err:find("the prompt cannot go on", 1, true), r.err)
  end)
end)
