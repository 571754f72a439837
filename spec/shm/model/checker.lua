-- Searches a Promela model with spin: every state that its processes can reach.
local checker = {}

local HERE = "spec/shm/model/"

---Whether spin is there; and not under a sanitizer, where it would do the same once more.
checker.usable = (os.getenv "MPHOST_SANITIZE" or "") == "" and os.execute "command -v spin >/dev/null"

local function run(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  return pipe:read("a")
end

---Searches the model with these definitions: how many errors, states, and the report. Raises unless the search ended by
---itself with all states seen, or with an error.
---@param model string  name of a file beside this one, without .pml
---@param definitions string  like "EACH=2 DEATHS=1"
---@param memory integer?  MB that the search may take (1000); with it, an optimised search that keeps 64-bit hashes of
---states, not states: that it misses one is possible and unlikely
---@return integer errors
---@return integer states
---@return string report
function checker.search(model, definitions, memory)
  local folder = os.tmpname()
  os.remove(folder)
  local flags = definitions:gsub("(%S+)", "-D%1")
  local compile = ("gcc -w -DSAFETY -DVECTORSZ=512 -DMEMLIM=%d -O%s -o pan pan.c"):format(memory or 1000,
    memory and "2 -DHC4" or "0")
  local report = run(("mkdir %s && cp %s%s.pml %s && cd %s && spin -a %s %s.pml && %s && " ..
    "./pan -E -m100000 -w%d; rm -rf %s"):format(folder, HERE, model, folder, folder, flags, model, compile,
    memory and 26 or 20, folder))
  local errors = tonumber(report:match "errors: (%d+)")
  local states = tonumber(report:match "(%d+) states, stored")
  if not errors or not states then error("no search:\n" .. report, 2) end
  if errors == 0 and (report:find "Search not completed" or report:find "too small" or report:find "MEMLIM bound") then
    error("not all states were seen:\n" .. report, 2)
  end
  return errors, states, report
end

---No state of it breaks a property.
---@param model string
---@param definitions string
---@param memory integer?
function checker.holds(model, definitions, memory)
  local errors, states, report = checker.search(model, definitions, memory)
  if errors > 0 then error(("%s %s: broken\n%s"):format(model, definitions, report), 2) end
  if memory then print(("%s %s: %d states"):format(model, definitions, states)) end
end

---Some state of it does: a broken protocol is found out.
---@param model string
---@param definitions string
function checker.breaks(model, definitions)
  local errors, states = checker.search(model, definitions)
  if errors == 0 then error(("%s %s: nothing broken in %d states"):format(model, definitions, states), 2) end
end

return checker
