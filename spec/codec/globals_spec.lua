-- Globals between a pool's maker and its tasks: at each call they are what the maker has, and what a worker's own init
-- or task has made stays. (What others do who receive a function: spec/mphost/queue_spec.lua.)
local helper = require "support.helper"
local tool = require "mphost.tool"

-- Runs code that says words by `say`, in one line at each call.
local function said(code)
  local r = tool.run([=[
    local write, tostring, pack, concat = io.write, tostring, table.pack, table.concat
    local function say(...)
      local words = pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]):gsub(":.*", "") end
      write(concat(words, " "), "\n")
    end
  ]=] .. code)
  return r.out .. r.err
end

describe("The globals of a pool's tasks", function()
  before_each(function() helper.deadline(30) end)

  it("are gone when the maker has them no more, also those that its workers inherited", function()
    assert.equal("old old old\nnil nil nil\nnew\nnil\n", said [=[
      flag = "old"
      function aid() return "old" end
      function outer() return aid and aid() end
      local pool <close> = mp.Pool(2)
      pool:apply(function() end)
      local function look() return tostring(flag) end
      say(pool:apply(look), pool:apply(outer), pool:map(look, { 1 })[1])
      flag, aid = nil, nil
      local seen = {}
      for _, word in ipairs(pool:map(look, { 1, 2, 3, 4 }, { chunk = 1 })) do seen[word] = true end
      for _ = 1, 4 do assert(pool:apply(outer) == nil) end
      say(next(seen), next(seen, "nil"), pool:submit(look):get())
      flag = "new"
      say(pool:apply(look))
      flag = nil
      say(pool:apply(look))]=])
  end)

  it("are gone in a worker that takes the place of a dead one, too", function()
    assert.equal("old\nnil\n", said [=[
      flag = "none"
      local pool <close> = mp.Pool(1)
      pool:apply(function() end)
      flag = "old"
      pcall(pool.apply, pool, function() mp.current_process():kill() end)
      say(pool:apply(function() return flag end))
      flag = nil
      say(pool:apply(function() return flag end))]=])
  end)

  it("stay what a worker's init or its tasks made them, where the maker never had any", function()
    assert.equal("init main mine\ninit nil mine\nmaker\nnil\n1 nil\n", said [=[
      seen = "main"
      local pool <close> = mp.Pool { workers = 1, init = function()
        made, seen, print = "init", "init", function() return "mine" end
      end }
      say(pool:apply(function() return made, seen, print() end))
      seen = nil
      say(pool:apply(function() return made, seen, print() end))
      made = "maker"
      say(pool:apply(function() return made end))
      made = nil
      say(pool:apply(function() return made end))
      pool:apply(function() own = 1 end)
      say(pool:apply(function() return own end), own)]=])
  end)

  it("are a worker's own also when it has pools of its own", function()
    assert.equal("init init nil\ninit\ninner nil\n", said [=[
      local pool <close> = mp.Pool { workers = 1, init = function() base = "init" end }
      say(pool:apply(function()
        local inner <close> = mp.Pool(1)
        local before = inner:apply(function() return base end)
        base = nil
        local after = inner:apply(function() return base end)
        base = "init"
        return base, before, after
      end))
      say(pool:apply(function() return base end))
      x = 1
      pool:apply(function() return x end)
      x = nil
      say(pool:apply(function()
        local gone = x
        local inner <close> = mp.Pool { workers = 1, init = function() x = "inner" end }
        return inner:apply(function() return x end), gone
      end))]=])
  end)

  it("are Lua's own again when the maker's are, whatever they were when its workers were forked", function()
    assert.equal("A A\nB A\nfunction table 1,2 string\nfunction\nnil\nfunction\n", said [=[
      local keep = { print = print, table = table, require = require, os = os, type = type }
      function print() return "A" end
      table, require, os = { 1 }, function() return "fake" end, nil
      local pool <close> = mp.Pool(1)
      local function other() return _G["pri" .. "nt"]() end
      say(pool:apply(function() return print(), other() end))
      function print() return "B" end
      say(pool:apply(function() return print() end), pool:apply(other))
      for name, value in pairs(keep) do _G[name] = value end
      for _ = 1, 2 do
        assert(pool:apply(function() return print == nil or os.time() end))
      end
      say(pool:apply(function() return tostring(print), type(table), table.concat({ 1, 2 }, ","),
        require "string" == string and "string" end))
      say(pool:apply(function() return tostring(_G["pri" .. "nt"]) end)) -- and stay so
      print = nil
      say(pool:apply(function() return print end))
      print = keep.print
      say(pool:apply(function() return tostring(print) end))]=])
  end)

  it("are Lua's own, but for what init made of them", function()
    assert.equal("nil init's\nfunction init's\ninit's\nnil\ninit's\n", said [=[
      local keep_print, keep_os = print, os
      print, os = nil, nil
      local init = function() os = "init's" end
      local pool <close> = mp.Pool { workers = 1, init = init }
      say(pool:apply(function() return print, os end))
      print, os = keep_print, keep_os
      say(pool:apply(function() return tostring(print), os end))
      local other <close> = mp.Pool { workers = 1, init = init } -- forked when all is as it was
      say(other:apply(function() return os end))
      os = nil
      say(other:apply(function() return os end))
      os = keep_os
      say(other:apply(function() return os end))]=])
  end)

  for _, method in ipairs { "zygote", "spawn" } do
    it("are the maker's where a worker inherits nothing: " .. method, function()
      assert.equal("1 init mine\nnil init mine\ntrue\nx\n", said(("mp.start_method %q"):format(method) .. [=[
        y = 1
        local pool <close> = mp.Pool { workers = 1, init = function()
          own, print = "init", function() return "mine" end
        end }
        say(pool:apply(function() return y, own, print() end))
        y = nil
        say(pool:apply(function() return y, own, print() end))
        local keep = type
        type = nil
        say(pool:apply(function() return type == nil end))
        type = keep
        say(pool:apply(function() return type "x" == "string" and "x" end))]=]))
    end)
  end
end)
