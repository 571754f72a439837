-- Workers' output on a pipe: whole lines, however long, whoever is killed.
local helper = require "support.helper"
local tool = require "mphost.tool"

-- Each line must be one worker's: "<letter> <number> xxx... <letter>".
local function check(out, size)
  local counts, lines = {}, 0
  for line in out:gmatch "[^\n]+" do
    lines = lines + 1
    local letter, body, last = line:match "^(%l) %d+ (x+)(%l)$"
    if not letter then error(("line %d is tangled: %d bytes, %s ... %s"):format(lines, #line, line:sub(1, 30),
      line:sub(-30)), 2) end
    assert.same({ letter, size }, { last, #body })
    counts[letter] = (counts[letter] or 0) + 1
  end
  return counts, lines
end

local START = [[
  local letters = { "a", "b", "c", "d", "e", "f", "g", "h" }
  local function many(say, count, size)
    local list = {}
    for i, letter in ipairs(letters) do
      list[i] = mp.spawn(function() for n = 1, count do say(letter, n, ("x"):rep(size)) end end)
    end
    return list
  end
]]

local says = {
  print = "function(letter, n, text) print(letter .. ' ' .. n .. ' ' .. text .. letter) end",
  ["io.write in pieces"] = [[function(letter, n, text)
    io.write(letter, " ", n, " ")
    for at = 1, #text, 1000 do io.write(text:sub(at, at + 999)) end
    io.write(letter, "\n")
  end]],
  ["io.stdout:write"] = "function(letter, n, text) io.stdout:write(letter, ' ', n, ' ', text, letter, '\\n') end",
}

describe("Lines of 100 KB from 8 workers through a pipe", function()
  for name, say in pairs(says) do
    it("are whole: " .. name, function()
      helper.deadline(30)
      local r = tool.run(START .. ("for _, p in ipairs(many(%s, 5, 100000)) do p:join() end"):format(say))
      assert.same({ 0, "" }, { r.code, r.err })
      local counts, lines = check(r.out, 100000)
      assert.equal(40, lines)
      for _, n in pairs(counts) do assert.equal(5, n) end
    end)
  end

  it("are whole from a pool's workers", function()
    helper.deadline(30)
    local r = tool.run [[
      local pool <close> = mp.Pool(8)
      pool:each(function(n) local c = string.char(96 + n) print(c .. " " .. n .. " " .. ("x"):rep(100000) .. c) end,
        mp.range(1, 8), { chunk = 1 })]]
    assert.equal(8, select(2, check(r.out, 100000)))
  end)

  it("are whole in the log, too", function()
    helper.deadline(30)
    local r = tool.run(START .. [[for _, p in ipairs(many(function(letter, n, text)
      mp.log.error("@%s %d %s%s", letter, n, text, letter) end, 3, 100000)) do p:join() end]])
    assert.equal(24, select(2, check(r.err:gsub("mphost: error: %[%S+ %d+%] @", ""), 100000)))
  end)

  it("are whole but for that of one who is killed in it, which ends with its line", function()
    helper.deadline(30)
    -- The reader does not read before the one who stands in the middle of a line, with the pipe full, is killed.
    local r = tool.shell("{ $M $S $S.go; } | { while [ ! -e $S.go ]; do sleep 0.01; done; rm $S.go; cat; }",
      'local mp = require "mphost"' .. START .. [[
      local list = many(function(letter, n, text) print(letter .. " " .. n .. " " .. text .. letter) end, 3, 300000)
      local function writes(p)
        local file <close> = assert(io.open("/proc/" .. p.pid .. "/syscall"))
        return file:read "a":find "^1 0x1 "
      end
      local victim
      while not victim do
        for _, p in ipairs(list) do if writes(p) then victim = p end end
        mp.sleep(0.01)
      end
      victim:kill()
      victim:join()
      io.open(arg[1], "w"):close()
      for _, p in ipairs(list) do p:join() end
      print("END " .. victim.name)]])
    assert.equal("", r.err)
    local out = r.out
    local torn, whole = 0, 0
    for line in out:gmatch "[^\n]+" do
      local letter, body, last = line:match "^(%l) %d+ (x*)(%l?)$"
      if letter and letter == last and #body == 300000 then
        whole = whole + 1
      elseif letter then
        assert.equal("", last, line:sub(1, 40))
        torn = torn + 1
      else
        assert.truthy(line:find "^END Process%-%d$", line:sub(1, 40))
      end
    end
    assert.equal(1, torn)
    assert.is_true(whole >= 21 and whole <= 23, tostring(whole))
  end)
end)

describe("Output of a child", function()
  it("is flushed when it asks for it, and when it ends", function()
    local r = tool.run [[
      local p = mp.spawn(function()
        io.write "no newline"
        io.stdout:flush()
        os.execute "echo ' yet'"
        io.write(("y"):rep(1 << 16))
        io.write "end"
      end)
      p:join()]]
    assert.equal("no newline yet\n" .. ("y"):rep(1 << 16) .. "end", r.out)
  end)

  it("of a task is there when it has ended, also where the next in its chunk kills the worker", function()
    for _, where in ipairs { "$M $S", "$M $S >$S.out; cat $S.out; rm $S.out" } do
      local r = tool.shell(where, [[
        local mp = require "mphost"
        local function task(x)
          io.write("<", x, ">")
          if x == 5 and tries:add(1) == 1 then io.popen("kill -9 $PPID"):read() mp.sleep(10) end
        end
        tries = mp.Value "i"
        local pool <close> = mp.Pool { workers = 1, retries = 1 }
        pool:each(task, mp.range(1, 8), { chunk = 8 })
        tries.value = 0
        pool:map(function(x) task(x) return { x } end, mp.range(1, 8), { chunk = 8, timeout = 20 })]])
      assert.same({ 0, "" }, { r.code, r.err })
      local times = {}
      for x in r.out:gmatch "<(%d)>" do times[x + 0] = (times[x + 0] or 0) + 1 end
      assert.truthy(times[5] >= 2, r.out)
      times[5] = 2
      assert.same({ 2, 2, 2, 2, 2, 2, 2, 2 }, times)
    end
  end)

  it("without a newline is there when a task's chunk is done, also of workers that are killed", function()
    local script = [[
      local p = mp.Pool(2)
      p:each(function(i) io.write("<", i, ">") end, { 1, 2, 3 }, { chunk = 1 })
      p:each(function(i) io.write(("x"):rep((1 << 16) - 1)) io.write("y") end, { 4 })
      pcall(p.each, p, function() io.write "!" error "no" end, { 5 })
      p:terminate()
      mp.each(function(i) io.write("<", i, ">") end, { 6 })]]
    for _, where in ipairs { "$M $S", "$M $S >$S.out; cat $S.out; rm $S.out" } do
      local r = tool.shell(where, 'local mp = require "mphost" ' .. script)
      assert.same({ 0, "" }, { r.code, r.err })
      local first, rest = r.out:sub(1, 9), r.out:sub(10)
      for i = 1, 3 do assert.truthy(first:find("<" .. i .. ">", 1, true), first) end
      assert.equal("65535 y!<6>", (rest:gsub("x+", function(xs) return #xs .. " " end)))
    end
  end)

  it("is that of C code, too, and of its children", function()
    local r = tool.run [[
      mp.spawn(function()
        print "one"
        mp.spawn(function() print "two" io.write "three" end):join()
        print ""
        io.stdout:write("four", "\n")
        print(io.type(io.stdout), io.output() == io.stdout)
      end):join()]]
    assert.equal("one\ntwo\nthree\nfour\nfile\ttrue\n", r.out)
  end)
end)
