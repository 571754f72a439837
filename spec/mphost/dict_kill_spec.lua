-- Writers, readers and clearers of Dicts killed at random, some dozen times each.
local tool = require "mphost.tool"

require "mphost.dict_kill" (tool.slower > 1 and 15 or 60, 60)
