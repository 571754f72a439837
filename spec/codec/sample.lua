-- A module for the codec's cases: what it holds travels by name.
local sample = { count = 0, settings = { depth = 1 } }

local Point = {}
Point.__index = Point
sample.Point = Point

function Point.new(x, y)
  return setmetatable({ x = x, y = y }, Point)
end

function Point:norm()
  return self.x * self.x + self.y * self.y
end

local Packed = { __name = "Packed" }
sample.Packed = Packed

function Packed.__pack(packed)
  return { packed.value }
end

function Packed.__unpack(plain)
  return setmetatable({ value = plain[1], unpacked = true }, Packed)
end

function sample.bump()
  sample.count = sample.count + 1
  return sample.count
end

return sample
