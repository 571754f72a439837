-- A module for the codec's cases whose functions and classes lie in inner tables.
local deep = { a = { b = { c = { d = {} } } }, cache = {}, handlers = {}, data = { 1, 2, x = {} } }
deep.a.b.up, deep.a.b.root = deep.a, deep -- cycles

function deep.a.f() return "a.f" end

function deep.a.b.f() return "a.b.f" end

function deep.a.b.c.f() return "a.b.c.f" end

function deep.a.b.c.d.f() return "too deep" end

local Point = {}
Point.__index = Point
deep.a.b.Point = Point

function Point.new(x)
  return setmetatable({ x = x }, Point)
end

function Point:double() return self.x * 2 end

-- The methods stand in a table of their own, and the metatable in a third one.
local methods = {}

function methods:triple() return self.x * 3 end

deep.meta = { tripler = { __index = methods }, weak = { __mode = "k" } }

function deep.tripler(x) return setmetatable({ x = x }, deep.meta.tripler) end

-- C functions that have no other name: Lua's own methods of files.
local file = getmetatable(io.stdout).__index
deep.posix = { seek = file.seek, sub = { setvbuf = file.setvbuf } }

return deep
