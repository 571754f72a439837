-- The local variables of a running function, for code that is typed: compiled so that it reads and assigns them, and
-- functions in it keep them. Locals live on the stack where no other function can refer to them: each gets a
-- cell, which is copied back after every piece of code. The function's upvalues are shared as they are.
local scope = {}

local Scope = {}
Scope.__index = Scope

local function depth()
  local n = 1
  while debug.getinfo(n, "l") do n = n + 1 end
  return n
end

-- A function whose first upvalue is the cell; called with a value, it stores that.
local function new_cell(value)
  local function cell(...)
    if select("#", ...) > 0 then value = ... end
    return value
  end
  return cell
end

-- cell's upvalues: 1 is not sure to be `value`.
local function cell_index(cell)
  for i = 1, 2 do
    if debug.getupvalue(cell, i) == "value" then return i end
  end
end

---The variables of the function at a level, counted as debug.getinfo does from who calls this.
---@param level integer
---@return table scope
function scope.of(level)
  local self = setmetatable({ variables = {}, env = _G }, Scope)
  self.from_bottom = depth() - level - 2 -- depth and this function lie above
  local f = debug.getinfo(level + 1, "f").func
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if not name then break end
    if name == "_ENV" then self.env = value else self.variables[name] = { f = f, index = i } end
  end
  for i = 1, math.huge do
    local name, value = debug.getlocal(level + 1, i)
    if not name then break end
    if name == "_ENV" then
      self.env = value
    elseif name:find "^[%a_]" then
      local cell = new_cell(value)
      self.variables[name] = { f = cell, index = cell_index(cell), at = i }
    end
  end
  return self
end

---Compiles code in which the variables are visible.
---@param code string
---@param name string  chunk name
---@return function?  nil and a message
---@return string? message
function Scope:load(code, name)
  local plain, message = load(code, name, "t", self.env)
  if not plain then return nil, message end
  local used = {}
  for word in code:gmatch "[%a_][%w_]*" do
    if self.variables[word] and not used[word] then
      used[word] = true
      used[#used + 1] = word
    end
  end
  if #used == 0 then return plain end
  local text = ("local %s; return function(...) %s\nend"):format(table.concat(used, ", "), code)
  local chunk = load(text, name, "t", self.env)
  local f = chunk and chunk()
  if not f then return plain end -- more variables than a function can have
  for i = 1, math.huge do
    local upvalue = debug.getupvalue(f, i)
    if not upvalue then break end
    local variable = self.variables[upvalue]
    if variable then debug.upvaluejoin(f, i, variable.f, variable.index) end
  end
  return f
end

---Copies the cells back to where the variables live.
function Scope:store()
  local level = depth() - self.from_bottom - 1
  for _, variable in pairs(self.variables) do
    if variable.at then debug.setlocal(level, variable.at, (variable.f())) end
  end
end

---The variables' values by name, for completion.
---@return table
function Scope:values()
  local values = {}
  for name, variable in pairs(self.variables) do
    local _, value = debug.getupvalue(variable.f, variable.index)
    values[name] = value
  end
  return values
end

return scope
