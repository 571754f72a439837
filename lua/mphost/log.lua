-- Lines on stderr that stay whole, with level, process and pid. MPHOST_LOG (or --log) says from which level on.
local check = require "mphost.check"
local core = require "mphost.core"
local process = require "mphost.process"

local levels = { debug = 1, info = 2, warn = 3, error = 4 }
local threshold = check.variable("MPHOST_LOG", "debug, info, warn or error", function(text) return levels[text] end)
  or levels.warn

local function logger(level)
  ---Writes one whole line to stderr if --log (MPHOST_LOG) asks for this level: as string.format does, with the level,
  ---the process's name and its pid. Without arguments the text is taken as it is.
  ---@param format string
  ---@param ... any
  return function(format, ...)
    if levels[level] < threshold then return end
    local text = tostring(format)
    if select("#", ...) > 0 then
      local ok
      ok, text = pcall(string.format, format, ...)
      if not ok then error(text, 2) end
    end
    core.log(("mphost: %s: [%s %d] %s\n"):format(level, process.current_process().name, core.pid(), text))
  end
end

---@class mphost.log
---@field debug fun(format: string, ...: any)
---@field info fun(format: string, ...: any)
---@field warn fun(format: string, ...: any)
---@field error fun(format: string, ...: any)
return { debug = logger "debug", info = logger "info", warn = logger "warn", error = logger "error" }
