-- What the source says about a function: its comment, its text. The library's own source is built in; for what is
-- written in C there are the comments of types.d.lua.
local file = require "mphost.file"
local has_source, source_of = pcall(require, "mphost.source")

local help = {}

local IN_C = "it is written in C"
local DECLARATIONS = "@mphost/types.d.lua"

local function text_of(source)
  local built_in = has_source and source_of(source)
  if built_in then return built_in end
  return source:sub(1, 1) == "@" and file.read(source:sub(2)) or nil
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
  return lines
end

-- The lines of the function's source, where it begins and ends; nil and why when there is none.
local function locate(f, typed)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return nil, IN_C end
  local text = info.source == "=stdin" and typed or text_of(info.source)
  if not text then return nil, "its source is not at hand: " .. info.short_src end
  local lines = lines_of(text)
  if info.linedefined < 1 or info.lastlinedefined > #lines then return nil, "its source has changed" end
  return lines, info.linedefined, info.lastlinedefined, info.short_src
end

-- LuaCATS in words.
local function readable(line)
  line = line:gsub("^%s*%-%-+%s?", "")
  line = line:gsub("^@param%s+(%S+)%s+(.*)$", "  %1: %2"):gsub("^@field%s+(%S+)%s+(.*)$", "  %1: %2")
  return (line:gsub("^@return%s+(.*)$", "  returns %1"))
end

-- Where the comment above a line begins; the line itself: there is none.
local function top_of(lines, at)
  local top = at
  while top > 1 and lines[top - 1]:find "^%s*%-%-" do top = top - 1 end
  return top
end

-- The line at which a function that another one made is given its name (`methods.kill = signaller(...)`), below a
-- comment.
local function naming_line(lines, name)
  for at, line in ipairs(lines) do
    if line:match "^%s*[%w_.]-([%w_]+)%s*=" == name and top_of(lines, at) < at then return at end
  end
end

-- The library's functions and classes in C: {class, name, at} in order, the source's lines.
local function declarations()
  local text = text_of(DECLARATIONS)
  local lines, list = lines_of(text or ""), {}
  for at, line in ipairs(lines) do
    local class, name = line:match "^function (%w+)[.:]([%w_]+)%("
    if not class then class = line:match "^local (%w+) = {}$" end
    if class then list[#list + 1] = { class = class, name = name, at = at } end
  end
  return list, lines
end

local function class_of(value)
  local meta = debug.getmetatable(value)
  local name = type(meta) == "table" and rawget(meta, "__name")
  return type(name) == "string" and name:match "^mphost%.(%w+)$" or nil
end

local function methods_of(class)
  if class == "mp" then return package.loaded.mphost end
  local meta = debug.getregistry()["mphost." .. class]
  return type(meta) == "table" and rawget(meta, "__methods") or nil
end

-- A declaration as it is shown.
local function declared(lines, declaration)
  local at, shown = declaration.at, {}
  if declaration.name then shown[1] = lines[at]:gsub("^function ", ""):gsub(" end$", "") end
  for i = top_of(lines, at), at - 1 do
    if not lines[i]:find "^%-%-%-@class" then shown[#shown + 1] = readable(lines[i]) end
  end
  return table.concat(shown, "\n")
end

-- The comment of a function that is written in C; nil and why.
local function built_in(f)
  local list, lines = declarations()
  for _, each in ipairs(list) do
    local methods = each.name and methods_of(each.class)
    if methods and rawget(methods, each.name) == f then return declared(lines, each) .. "\n-- " .. IN_C end
  end
  return nil, IN_C
end

-- A function's first line, with the path by which it was reached in the place of the name that its file has for it.
local function as_reached(line, name)
  if not name then return line end
  return (line:gsub("^function +[%w_.:]+", "function " .. name))
end

---The comment above the function, and its first line.
---@param f function
---@param typed string?  all that was typed at this prompt
---@param name string?  the way it was reached: f, mp.map, pool:map
---@return string? text  nil and why
---@return string? why
function help.comment(f, typed, name)
  if debug.getinfo(f, "S").what == "C" then return built_in(f) end
  local lines, first, _, where = locate(f, typed)
  if not lines then return nil, first end
  local top = top_of(lines, first)
  local named = top == first and name and naming_line(lines, name:match "[%w_]+$")
  if named then top, first = top_of(lines, named), named end
  local shown = { as_reached(lines[first]:gsub("^%s+", ""), name) }
  for i = top, first - 1 do shown[#shown + 1] = readable(lines[i]) end
  if top == first then shown[#shown + 1] = "(no comment)" end
  shown[#shown + 1] = ("-- %s:%d"):format(where, first)
  return table.concat(shown, "\n")
end

---What is said of a handle's class, and the names of its methods; nil: it is no handle of the library's.
---@param value any
---@return string?
function help.class(value)
  local class = type(value) == "userdata" and class_of(value)
  local list, lines = declarations()
  local comment, names = nil, {}
  for _, each in ipairs(list) do
    if each.class == class then
      if each.name then names[#names + 1] = each.name else comment = declared(lines, each) end
    end
  end
  if not comment then return nil end
  return ((comment .. "\nmethods: " .. table.concat(names, " ")):gsub("^\n", ""))
end

---The function's source with the comment above it.
---@param f function
---@param typed string?
---@return string? text  nil and why
---@return string? why
function help.source(f, typed)
  local lines, first, last, where = locate(f, typed)
  if not lines then return nil, first == IN_C and first .. ": there is no source in Lua to show" or first end
  first = top_of(lines, first)
  return ("%s\n-- %s:%d"):format(table.concat(lines, "\n", first, last), where, first)
end

help.TEXT = [[
Lua, line by line: expressions show their value, what is not complete goes on on the next line.
  name?            what the comment in its source says     name??   its source
  _  _1 _2 ...     the last result; all its values
  :help            this text
  :ps              processes, pools and queues: what they work on, what waits
  :time CODE       runs it and says how long it took
  :reset           forgets the globals of this session, ends its processes and pools
  :quit            leaves, as Ctrl-D does; what was started here ends with it
Tab completes names, fields, modules and files. Ctrl-C drops the line, or stops what runs.
`mp` is the library: mp.Pool? mp.Queue?, and of an object of yours q? q.put?]]

return help
