-- What the source says about a function: its comment, its text. The library's own source is built in.
local has_source, source_of = pcall(require, "mphost.source")

local help = {}

local function text_of(source)
  local built_in = has_source and source_of(source)
  if built_in then return built_in end
  local file = source:sub(1, 1) == "@" and io.open(source:sub(2))
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return text
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

-- The lines of the function's source, where it begins and ends; nil and why when there is none.
local function locate(f, typed)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return nil, "it is written in C" end
  local text = info.source == "=stdin" and typed or text_of(info.source)
  if not text then return nil, "its source is not at hand: " .. info.short_src end
  local lines = lines_of(text)
  if info.linedefined < 1 or info.lastlinedefined > #lines then return nil, "its source has changed" end
  return lines, info.linedefined, info.lastlinedefined, info.short_src
end

-- LuaCATS in words.
local function readable(line)
  line = line:gsub("^%s*%-%-+%s?", "")
  line = line:gsub("^@param%s+(%S+)%s+(.*)$", "  %1: %2")
  return (line:gsub("^@return%s+(.*)$", "  returns %1"))
end

---The comment above the function, and its first line.
---@param f function
---@param typed string?  all that was typed at this prompt
---@return string? text  nil and why
---@return string? why
function help.comment(f, typed)
  local lines, first, _, where = locate(f, typed)
  if not lines then return nil, first end
  local top = first
  while top > 1 and lines[top - 1]:find "^%s*%-%-" do top = top - 1 end
  local shown = { (lines[first]:gsub("^%s+", "")) }
  for i = top, first - 1 do shown[#shown + 1] = readable(lines[i]) end
  if top == first then shown[#shown + 1] = "(no comment)" end
  shown[#shown + 1] = ("-- %s:%d"):format(where, first)
  return table.concat(shown, "\n")
end

---The function's source with the comment above it.
---@param f function
---@param typed string?
---@return string? text  nil and why
---@return string? why
function help.source(f, typed)
  local lines, first, last, where = locate(f, typed)
  if not lines then return nil, first end
  while first > 1 and lines[first - 1]:find "^%s*%-%-" do first = first - 1 end
  return ("%s\n-- %s:%d"):format(table.concat(lines, "\n", first, last), where, first)
end

help.TEXT = [[
Lua, line by line: expressions show their value, what is not complete goes on on the next line.
  name?            what the comment in its source says     name??   its source
  _  _1 _2 ...     the last result; all its values
  :help            this text
  :ps              processes and pools, and what they work on
  :time CODE       runs it and says how long it took
  :reset           forgets the globals of this session, ends its processes and pools
  :quit            leaves, as Ctrl-D does; what was started here ends with it
Tab completes names, fields, modules and files. Ctrl-C drops the line, or stops what runs.
`mp` is the library: mp.Pool? mp.Process? mp.Queue?]]

return help
