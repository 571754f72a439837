-- The prompt: reads Lua, runs it, shows what came out. What it needs of a terminal comes from the module
-- "mphost.terminal", which the program offers (host/app/terminal.c); without it lines are read as they come.
--
--   read lines -> ":command", "name?", or a chunk: as an expression, else as a statement, else more lines
--       -> run under xpcall -> results to stdout, kept in _ and _1.. ; errors to stderr
--
-- Ctrl-C raises "interrupted!" in whatever runs. Chunks are numbered by the lines of the session: an error in
-- stdin:12 is in the 12th line that was typed.
--
-- mphost.terminal: enter() -> whether it edits lines; leave(); ended() -> whether a signal asks to leave
--   read(prompt, complete, idle) -> line, or nil and "end" or "cancelled"; remember(text)
--   calm() forgets how often Ctrl-C was pressed
--   status(text) -> whether it is shown; isatty(fd); columns(); list(dir); append(path, text, fresh); mkdir(path)
--   slurp(path, most)
local core = require "mphost.core"
local command = require "mphost.command"
local complete = require "mphost.complete"
local help = require "mphost.help"
local history = require "mphost.history"
local inspect = require "mphost.inspect"
local process = require "mphost.process"
local scope = require "mphost.scope"
local watch = require "mphost.watch"

local repl = {}

local EINTR = 4
local MOST_FAILURES = 5 -- in a row, with no line read in between

local function say(self, text)
  io.stdout:flush()
  io.stderr:write(text, "\n")
end

local function say_error(self, text)
  say(self, self.color_err and ("\27[31m%s\27[0m"):format(text) or text)
end

-- ---- reading ----

local function is_dumb()
  local no_color = os.getenv "NO_COLOR"
  return no_color ~= nil and no_color ~= "" or (os.getenv "TERM" or "dumb") == "dumb"
end

local function prompt_text(name, default)
  local value = rawget(_G, name)
  return value == nil and default or tostring(value)
end

local function read_plain(prompt)
  io.stdout:flush()
  io.stderr:write(prompt)
  local line, _, code = io.stdin:read "L"
  if line then return (line:gsub("\n$", "")) end
  if code == EINTR then
    io.stderr:write "\n"
    return nil, "cancelled"
  end
  return nil, "end"
end

local function read_line(self, prompt)
  if not self.edits then return read_plain(prompt) end
  io.stdout:flush()
  return self.terminal.read(prompt, function(text)
    local candidates, replaced = complete.complete(text, self:roots(), self.terminal.list)
    if #candidates == 0 then return nil end
    return table.concat(candidates, "\0") .. "\0", replaced
  end, function() return watch.news(self.watched) end)
end

local function remember(self, text)
  if not self.edits or not text:find "%S" or text:find "^ " or text == self.last then return end
  self.last = text
  self.terminal.remember(text)
  if not self.history then return end
  local ok, why = history.add(self.history, text, self.terminal)
  if not ok then
    say(self, ("mphost: history is not kept: %s: %s"):format(self.history, why))
    self.history = nil
  end
end

-- ---- running ----

local function describe(value)
  if type(value) ~= "string" then
    local meta = debug.getmetatable(value)
    if type(meta) == "table" and rawget(meta, "__tostring") then return tostring(value) end
    value = ("(error object is a %s value)"):format(type(value))
  end
  if value:find "interrupted!$" then return "interrupted" end
  local trace = debug.traceback(value, 2)
  local cut = trace:find("\n\t[C]: in function 'xpcall'", 1, true)
  return cut and trace:sub(1, cut - 1) or trace
end

local function keep(results)
  local kept = 1
  while rawget(_G, "_" .. kept) ~= nil or kept <= results.n do
    rawset(_G, "_" .. kept, results[kept])
    kept = kept + 1
  end
  rawset(_G, "_", results[1])
end

local function show(self, results)
  if results.n == 0 then return end
  keep(results)
  local shown = {}
  for i = 1, results.n do
    local width = self.terminal and self.terminal.columns() - 1
    shown[i] = inspect.inspect(results[i], { width = width, color = self.color })
  end
  io.stdout:write(table.concat(shown, "\t"), "\n")
  io.stdout:flush()
end

---Runs a compiled chunk and shows what comes of it.
---@param chunk function
---@return boolean ok
function repl:run_chunk(chunk)
  if self.terminal then self.terminal.calm() end
  local outcome = table.pack(xpcall(chunk, describe))
  if self.scope then self.scope:store() end
  if not outcome[1] then
    say_error(self, tostring(outcome[2]))
    return false
  end
  show(self, table.pack(table.unpack(outcome, 2, outcome.n)))
  return true
end

---Compiles what was typed: as an expression, or as statements.
---@param code string
---@return function?  nil and a message
---@return string? message  ends with <eof> when more could make it complete
function repl:compile(code)
  local shift = ("\n"):rep(self.lines)
  code = code:gsub("^=", "", 1) -- as lua5.4 takes it: "=x" is an expression
  local function load_in(text)
    if self.scope then return self.scope:load(text, "=stdin") end
    return load(text, "=stdin", "t")
  end
  local chunk, as_expression = load_in(shift .. "return " .. code)
  if chunk and code:find "%S" then return chunk end
  local statements, message = load_in(shift .. code)
  if statements then return statements end
  return nil, as_expression:sub(-5) == "<eof>" and as_expression or message
end

local function is_incomplete(message)
  return message:sub(-5) == "<eof>"
end

-- A local that ends with its chunk, if that is all the chunk does: its name.
local function lost_local(code)
  local name, rest = code:match "^%s*local%s+function%s+([%a_][%w_]*)(.*)$"
  if name then return load("return function" .. rest, "", "t") and name end
  local names = code:match "^%s*local%s+([%a_][%w_,%s<>]*)$"
  if names and load("local " .. names, "", "t") then return names:match "^[%w_]+" end
  name, rest = code:match "^%s*local%s+([%a_][%w_]*)[%w_,%s<>]*=(.*)$"
  if name then return load("return " .. rest, "", "t") and name end
end

local function explain_function(self, name, f, marks)
  local typed = table.concat(self.typed, "\n")
  if marks == "??" then return help.source(f, typed) end
  return help.comment(f, typed, name)
end

-- What `name?` and `name??` say.
local function explain(self, name, marks)
  local value = complete.resolve(name, self:roots())
  if value == nil then return name .. ": nil, as far as can be seen without running code" end
  if type(value) == "function" then
    local text, why = explain_function(self, name, value, marks)
    return text or ("%s: function; %s"):format(name, why)
  end
  local width = self.terminal and self.terminal.columns() - 1
  local shown = inspect.inspect(value, { depth = 1, width = width, color = self.color })
  local class = help.class(value)
  return ("%s: %s\n%s%s"):format(name, type(value), shown, class and "\n" .. class or "")
end

local function ask(self, code)
  local name, marks = code:match "^%s*([%a_][%w_.:]*)%s*(%?%??)%s*$"
  if not name then return false end
  io.stdout:write(explain(self, name, marks), "\n")
  io.stdout:flush()
  return true
end

-- ---- the loop ----

-- One chunk, of as many lines as it takes: its text and its function. nil and "end", "cancelled" or "done".
local function read_chunk(self)
  local code
  while true do
    local prompt = code and prompt_text("_PROMPT2", "..> ") or prompt_text("_PROMPT", "mp> ")
    if self.terminal then self.terminal.calm() end
    local line, why = read_line(self, prompt)
    self.failures = 0
    if not line then
      if not code then return nil, why end
      if why == "end" then
        local _, message = self:compile(code)
        say_error(self, message)
      end
      return nil, why == "end" and not self.edits and "end" or "cancelled"
    end
    code = code and code .. "\n" .. line or line
    local chunk, message
    if not code:find "^%s*:%a" and not code:find "%?%s*$" then
      chunk, message = self:compile(code)
      if not chunk and is_incomplete(message) then goto more end
    end
    remember(self, code)
    if chunk then return code, chunk end
    if not (ask(self, code) or command.run(self, code)) then
      say_error(self, message or select(2, self:compile(code)) or "syntax error")
    end
    do return nil, "done" end
    ::more::
  end
end

local function note_lines(self, code)
  for line in (code .. "\n"):gmatch "(.-)\n" do
    self.lines = self.lines + 1
    self.typed[self.lines] = line
  end
end

local function step(self)
  local news = watch.news(self.watched)
  if news then say(self, news) end
  local code, chunk = read_chunk(self)
  if code then
    note_lines(self, code)
    local name = lost_local(code)
    self:run_chunk(chunk)
    if name then say(self, ("mphost: local '%s' ends with its line; without 'local' it stays"):format(name)) end
  elseif chunk == "end" then
    self.over = true
  end
end

-- An interruption that came too late for the code it was meant for, or to a helper of ours, ends a step and no more.
local function loop(self)
  while not self.over do
    local ok, why = pcall(step, self)
    if not ok then
      local interrupted = tostring(why):find "interrupted!$"
      say_error(self, interrupted and "" or "mphost: " .. tostring(why))
      self.failures = interrupted and self.failures or self.failures + 1
      if self.failures == MOST_FAILURES then self.over, self.broken = true, true end
    end
    if self.terminal and self.terminal.ended() then self.over = true end
  end
end

---Where variables are looked up for completion and help.
---@return table[]
function repl:roots()
  return self.scope and { self.scope:values(), self.scope.env } or { _G }
end

repl.__index = repl

local function open(around)
  process.tells = false -- the prompt does, at its time
  local has_terminal, terminal = pcall(require, "mphost.terminal")
  local self = setmetatable({ terminal = has_terminal and terminal or nil, scope = around, lines = 0, typed = {},
    failures = 0, watched = watch.new() }, repl)
  if self.terminal then
    self.edits = terminal.enter()
    self.color = terminal.isatty(1) and not is_dumb()
    self.color_err = terminal.isatty(2) and not is_dumb()
  end
  if self.edits then
    self.history = history.path()
    for _, entry in ipairs(self.history and history.load(self.history, terminal) or {}) do terminal.remember(entry) end
  end
  self.globals = command.snapshot()
  return self
end

local function run(around)
  local self = open(around)
  if self.edits then say(self, 'Lua at the prompt; ":help" for help, Ctrl-D to leave') end
  loop(self)
  if self.terminal then self.terminal.leave() end
  if not self.edits then io.stderr:write "\n" end
  return not self.broken
end

---The prompt in a running function.
---@param level integer  of the function whose variables are visible; 1: who calls this
function repl.run(level)
  if not run(scope.of(level + 1)) then error("the prompt cannot go on", 0) end
end

---The program's prompt: `mp` is the library; what was started at the prompt ends with it.
function repl.main()
  if rawget(_G, "mp") == nil then rawset(_G, "mp", require "mphost") end
  process.stopper = core.pid() -- os.exit leaves the prompt, too
  local ok = run(nil)
  process.stop()
  if not ok then error("the prompt cannot go on", 0) end
end

repl.clock = core.clock
repl.say = say

return repl
