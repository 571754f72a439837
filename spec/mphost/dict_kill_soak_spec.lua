-- The same as dict_kill_spec.lua, a minute and more of it.
local tool = require "mphost.tool"

require "mphost.dict_kill" (tool.slower > 1 and 300 or 1500, 1200)
