-- Proportional memory of one of eight sleeping libuv threads, each with a Lua state.
local uv = require "luv"
local work = require "work"

local function idle() require("luv").sleep(400) end
local threads = { uv.new_thread(idle) }
uv.sleep(50)
local before = work.pss("self")
for k = 2, 9 do threads[k] = uv.new_thread(idle) end
uv.sleep(150)
work.figure("pss", (work.pss("self") - before) / 8)
for _, thread in ipairs(threads) do thread:join() end
