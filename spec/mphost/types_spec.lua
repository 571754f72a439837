-- lua/mphost/types.d.lua says what C offers: every method, and none that is not there.
local mp = require "mphost"

local made = {
  Queue = mp.Queue, Connection = mp.Pipe, Dict = mp.Dict, Value = function() return mp.Value("i") end,
  Array = function() return mp.Array("i", 1) end,
  Lock = mp.Lock, Semaphore = mp.Semaphore, BoundedSemaphore = mp.BoundedSemaphore, Event = mp.Event,
  Condition = mp.Condition, Barrier = function() return mp.Barrier(1) end,
}

local function documented()
  local classes, comment = {}, ""
  for line in io.lines("lua/mphost/types.d.lua") do
    local class, name, params = line:match("^function (%w+):([%w_]+)%(([^)]*)%)")
    if class then
      classes[class] = classes[class] or {}
      classes[class][name] = { params = params, comment = comment }
    end
    comment = line:find("^%-%-%-") and comment .. line .. "\n" or ""
  end
  return classes
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do if name:sub(1, 1) ~= "_" then list[#list + 1] = name end end
  table.sort(list)
  return list
end

local function methods_of(object)
  local methods = {}
  for name, method in pairs(getmetatable(object).__methods) do
    if type(method) == "function" then methods[name] = method end
  end
  return methods
end

describe("types.d.lua", function()
  for class, make in pairs(made) do
    it("documents the methods of " .. class, function()
      assert.same(sorted(methods_of((make()))), sorted(documented()[class]))
    end)
  end

  it("documents each parameter and result", function()
    for class, methods in pairs(documented()) do
      assert.truthy(made[class], class .. " is not checked")
      for name, method in pairs(methods) do
        for param in method.params:gmatch("[%w_]+") do
          local found = method.comment:find("---@param " .. param .. " ", 1, true)
          assert.truthy(found, ("%s:%s %s"):format(class, name, param))
        end
        assert.truthy(method.comment:find("^%-%-%-"), class .. ":" .. name)
      end
    end
  end)
end)
