-- What could stand at the cursor: names of variables, fields, methods, modules, files. Runs no code of the user's:
-- tables are read raw, __index is followed only where it is a table, __pairs and __metatable are not asked.
local inspect = require "mphost.inspect"

local complete = {}

-- The table that the value's fields are looked up in next: __index of its metatable.
local function parent_of(value)
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return nil end
  local index = rawget(meta, "__index")
  if type(index) ~= "table" then index = rawget(meta, "__methods") end
  return type(index) == "table" and index or nil
end

-- The tables in which a field of the value would be found.
local function chain_of(value)
  local chain, seen = {}, {}
  local at = type(value) == "table" and value or parent_of(value)
  while at and not seen[at] do
    seen[at] = true
    chain[#chain + 1] = at
    at = parent_of(at)
  end
  return chain
end

---The value's field without asking anybody: nil when it is not there as such.
---@param value any
---@param key any
---@return any
function complete.field(value, key)
  for _, each in ipairs(chain_of(value)) do
    local found = rawget(each, key)
    -- The field of a handle that is no method is read by its __index, which is not asked.
    if found ~= nil and (type(value) ~= "userdata" or type(found) == "function") then return found end
  end
end

---The value that names joined by dots and colons lead to from the first of the roots that knows the first one.
---@param path string
---@param roots table[]
---@return any
function complete.resolve(path, roots)
  local value
  for name in path:gmatch "[^.:]+" do
    if value == nil then
      for _, root in ipairs(roots) do
        value = complete.field(root, name)
        if value ~= nil then break end
      end
    else
      value = complete.field(value, name)
    end
    if value == nil then return nil end
  end
  return value
end

local function starts(text, prefix)
  return text:sub(1, #prefix) == prefix
end

local function add_fields(found, value, prefix, only_functions)
  for _, each in ipairs(chain_of(value)) do
    for key, field in next, each do
      if inspect.is_name(key) and starts(key, prefix) and (not only_functions or type(field) == "function") then
        -- Private fields of the library's objects are of no use to who types.
        if prefix ~= "" or key:sub(1, 1) ~= "_" then found[key] = true end
      end
    end
  end
end

local KEYWORDS = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" }

local function add_names(found, text, roots)
  local path, separator, prefix = text:match "([%a_][%w_.:]*)([.:])([%w_]*)$"
  local concatenates = text:find "%.%.[%w_]*$"
  if path and not concatenates then
    local value = complete.resolve(path, roots)
    if value ~= nil then add_fields(found, value, prefix, separator == ":") end
    return prefix
  end
  prefix = text:match "%f[%w_][%a_][%w_]*$" or ""
  if prefix == "" or not concatenates and text:find "[.:]%s*[%w_]*$" then return "" end
  for _, root in ipairs(roots) do add_fields(found, root, prefix, false) end
  for _, word in ipairs(KEYWORDS) do
    if starts(word, prefix) then found[word] = true end
  end
  return prefix
end

-- Modules named like "a.b": those loaded, preloaded, and in the folders of package.path and package.cpath.
local function add_modules(found, prefix, list)
  for _, known in ipairs { package.loaded, package.preload } do
    for name in next, known do
      if type(name) == "string" and starts(name, prefix) then found[name] = true end
    end
  end
  local parents = prefix:match "^(.*%.)[^.]*$" or ""
  for template in (package.path .. ";" .. package.cpath):gmatch "[^;]+" do
    local folder, ending = template:match "^([^?]*)%?([^?]*)$"
    if folder then
      for _, entry in ipairs(list((folder == "" and "./" or folder) .. parents:gsub("%.", "/")) or {}) do
        local name = entry:sub(-#ending) == ending and entry:sub(1, -#ending - 1) or entry:match "^(.*)/$"
        if name and starts(parents .. name, prefix) and inspect.is_name(name) then found[parents .. name] = true end
      end
    end
  end
end

local function add_files(found, prefix, list)
  local folder = prefix:match "^.*/" or ""
  for _, entry in ipairs(list(folder == "" and "." or folder) or {}) do
    local hidden = entry:sub(1, 1) == "." and not prefix:find "%f[^/\0]%.[^/]*$"
    if starts(folder .. entry, prefix) and not hidden then found[folder .. entry] = true end
  end
end

-- The open string at the text's end: what stands before its quote, and its begin.
local function open_string(text)
  local at, quote, from = 1, nil, nil
  while at <= #text do
    local c = text:sub(at, at)
    if quote then
      if c == "\\" then at = at + 1 elseif c == quote then quote = nil end
    elseif c == '"' or c == "'" then
      quote, from = c, at
    elseif starts(text:sub(at), "--") then
      return nil
    end
    at = at + 1
  end
  if quote then return text:sub(1, from - 1), text:sub(from + 1) end
end

---What may complete the text.
---@param text string  up to the cursor
---@param roots table[]  where variables are looked up, in this order
---@param list fun(folder: string): string[]?  names in a folder, folders with a slash; nil: none
---@return string[] candidates  in order
---@return integer replaced  how many bytes of the text's end they stand for
function complete.complete(text, roots, list)
  local found, sorted = {}, {}
  local before, inside = open_string(text)
  local prefix
  if not before then
    prefix = add_names(found, text, roots)
  else
    prefix = inside
    if before:find "require%s*%(?%s*$" then add_modules(found, inside, list) else add_files(found, inside, list) end
  end
  for name in pairs(found) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  return sorted, #prefix
end

return complete
