-- mp.pack and mp.unpack, with the seal that says whose bytes they are, and of a closure with three upvalues.
local mp = require "mphost"
local values = require "values"
local work = require "work"

values.run(mp.pack, mp.unpack)

local a, b, c = 3, "two", 1.5
local function closure(x) return a * x + #b + c end
local bytes = mp.pack(closure)
assert(mp.unpack(bytes)(2) == closure(2))
local n = work.count(20000)
local encode, decode = values.time(n, mp.pack, closure), values.time(n, mp.unpack, bytes)
work.figure("closure_encode", encode * 1e6)
work.figure("closure_decode", decode * 1e6)
work.figure("closure", (encode + decode) * 1e6)
