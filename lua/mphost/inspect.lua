-- Values as text that a person reads: tables with their contents, on as many lines as the width asks for. Nothing is
-- called but __tostring; tables are read raw.
local inspect = {}

local COLORS = { string = "32", number = "36", boolean = "33", ["nil"] = "33", other = "35", note = "2" }
local ESCAPES = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ['"'] = '\\"', ["\\"] = "\\\\" }

local KEYWORDS = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]):gmatch "%a+" do KEYWORDS[word] = true end

---Whether it can stand as a name in Lua's source.
---@param text any
---@return boolean
function inspect.is_name(text)
  return type(text) == "string" and text:find "^[%a_][%w_]*$" ~= nil and not KEYWORDS[text]
end

local function quote(text, most)
  local cut = #text > most
  if cut then text = text:sub(1, utf8.len(text) and utf8.offset(text, 0, most + 1) - 1 or most) end
  text = text:gsub('[%c"\\\127]', function(c) return ESCAPES[c] or ("\\%03d"):format(c:byte()) end)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", function(c) return ("\\%03d"):format(c:byte()) end) end
  return '"' .. text .. (cut and '"...' or '"')
end

local function rank(key)
  return type(key) == "number" and 1 or type(key) == "string" and 2 or 3
end

local function before(a, b)
  local ra, rb = rank(a), rank(b)
  if ra ~= rb then return ra < rb end
  if ra < 3 then return a < b end
  return tostring(a) < tostring(b)
end

-- A piece: its text, the same with colours, its width.
local function piece(state, text, kind)
  local color = state.color and COLORS[kind]
  return { text = color and ("\27[%sm%s\27[0m"):format(color, text) or text,
    width = text:find "\n" and math.huge or utf8.len(text) or #text }
end

-- Tables that contain themselves get a number.
local function find_cycles(state, value, path, depth)
  if type(value) ~= "table" or depth > state.depth then return end
  if path[value] then
    if not state.cycles[value] then
      state.count = state.count + 1
      state.cycles[value] = state.count
    end
    return
  end
  path[value] = true
  local n = 0
  for k, v in next, value do
    n = n + 1
    if n > 10 * state.items then break end
    find_cycles(state, k, path, depth + 1)
    find_cycles(state, v, path, depth + 1)
  end
  path[value] = nil
end

local render

local function key_piece(state, key, depth)
  if inspect.is_name(key) then return piece(state, key, nil) end
  local shown = render(state, key, 0, depth + 1)
  return { text = "[" .. shown.text .. "]", width = shown.width + 2 }
end

-- The pieces of a table's items, at most state.items of them.
local function items_of(state, value, indent, depth)
  local list, n, keys = {}, 0, {}
  while rawget(value, n + 1) ~= nil do
    n = n + 1
    if n <= state.items then list[n] = render(state, rawget(value, n), indent + 2, depth + 1) end
  end
  for key in next, value do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then keys[#keys + 1] = key end
  end
  table.sort(keys, before)
  for _, key in ipairs(keys) do
    if #list >= state.items then break end
    local name = key_piece(state, key, depth)
    local shown = render(state, rawget(value, key), indent + 2 + name.width + 3, depth + 1)
    list[#list + 1] = { text = name.text .. " = " .. shown.text, width = name.width + 3 + shown.width }
  end
  local left = n + #keys - #list
  if left > 0 then list[#list + 1] = piece(state, ("... %d more"):format(left), "note") end
  return list
end

local function table_piece(state, value, indent, depth)
  local label = state.cycles[value] and ("<%d>"):format(state.cycles[value]) or ""
  if state.path[value] then return piece(state, label, "note") end
  if next(value) == nil then return piece(state, label .. "{}", nil) end
  if depth > state.depth then return piece(state, label .. "{...}", nil) end
  state.path[value] = true
  local list = items_of(state, value, indent, depth)
  state.path[value] = nil
  local width, texts = #label + 2, {}
  for i, item in ipairs(list) do
    width = width + item.width + (i > 1 and 2 or 0)
    texts[i] = item.text
  end
  if indent + width <= state.width then
    return { text = label .. "{" .. table.concat(texts, ", ") .. "}", width = width }
  end
  local margin = "\n" .. (" "):rep(math.min(indent, (depth - 1) * 2) + 2)
  return { text = label .. "{" .. margin .. table.concat(texts, "," .. margin) .. margin:sub(1, -3) .. "}",
    width = math.huge }
end

local function has_words(value)
  local meta = debug.getmetatable(value)
  return type(meta) == "table" and (rawget(meta, "__tostring") or type(value) ~= "table" and rawget(meta, "__name"))
end

function render(state, value, indent, depth)
  local kind = type(value)
  if kind == "string" then return piece(state, quote(value, depth > 1 and 200 or 2000), "string") end
  if kind == "table" and not has_words(value) then return table_piece(state, value, indent, depth) end
  local ok, text = pcall(tostring, value)
  if not ok then text = ("<%s: __tostring failed>"):format(kind) end
  if depth > 1 then text = text:gsub("\n.*", " ...") end
  return piece(state, text, COLORS[kind] and kind or "other")
end

---A value as text. options: width in columns (80), depth of nested tables (4), items per table (40), color.
---@param value any
---@param options {width: integer?, depth: integer?, items: integer?, color: boolean?}?
---@return string
function inspect.inspect(value, options)
  options = options or {}
  local state = { width = options.width or 80, depth = options.depth or 4, items = options.items or 40,
    color = options.color, cycles = {}, path = {}, count = 0 }
  find_cycles(state, value, {}, 1)
  return render(state, value, 0, 1).text
end

return inspect
