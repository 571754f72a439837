-- Side by side with lua5.4: the same command line must give the same output, but for the name of the program and the
-- code of a wrong option. The topics are those of Lua's own main.lua.
local tool = require "mphost.tool"

local BIN = tool.BIN:gsub("%p", "%%%0") -- as a pattern

-- Runs the line twice, $L being lua5.4 and mphost in turn: what each did.
local function both(command, script, stdin)
  local ours = tool.shell("L=$M; " .. command, script, stdin)
  local theirs = tool.shell("L=lua5.4; " .. command, script, stdin)
  for _, r in ipairs { ours, theirs } do
    r.out = r.out:gsub("/tmp/lua_%w+", "FILE"):gsub("lua5%.4", "PROGRAM"):gsub(BIN, "PROGRAM")
      :gsub("\n\t%[C%]: in %?", ""):gsub("0x%x+", "0x")
    r.err = r.err:gsub("/tmp/lua_%w+", "FILE"):gsub("^lua5%.4: ", ""):gsub("^mphost: ", "")
      :gsub("\nstack traceback:.*", ""):gsub("\n$", ""):gsub("0x%x+", "0x")
  end
  return ours, theirs
end

local function same(command, script, stdin)
  local ours, theirs = both(command, script, stdin)
  assert.same(theirs, ours, command)
  return ours
end

describe("as lua5.4 does, mphost", function()
  it("lays out arg", function()
    local show = "for i = -9, 9 do if arg[i] then io.write(i, '=', arg[i], ' ') end end print(#arg, ...)"
    for _, line in ipairs { "$L $S", "$L $S a b", "$L -W $S a", "$L -e '' -l string $S -x -- -", "$L -- $S a",
                            "$L - a b < $S", "$L -E -W - <$S", "$L -W -- $S" } do
      assert.equal(0, same(line, show).code)
    end
    same("$L -e 'print(arg[0] == \"'$L'\" or arg[0], #arg, arg[1])'")
    same("$L a b", "print(1)", "print(2)")
    same("$L -e 'arg = 1' $S", "print(...)")
    same("$L -e 'arg[1] = \"changed\"; arg[5] = 7; arg[3] = 1 arg[4]=1' $S x y", "print(...)")
    same("$L -e 'arg = nil' $S", "print(...)")
  end)

  it("runs -e and -l in their order, -W among them", function()
    same [[$L -e 'x = 1' -l string -e 'print(x, string.rep("a", 2))']]
    same [[$L -ex=1 -e 'print(x)' -e'print(x + 1)']]
    same [[$L -W -e 'warn "on"' -e 'warn "@off"' -e 'warn "off"']]
    same [[$L -e 'warn "off"' -W -e 'warn("o", "n")']]
    same [[$L -l s=string -e 'print(s == string)']]
    same [[$L -lstring -lm=math -e 'print(m == math)']]
    same [[$L -l nosuchmodule -e 'print "no"' 2>/dev/null]]
    same [[$L -e 'print(1)' -e 'error "x"' -e 'print(2)']]
    same [[$L -e 'print(...)' a]]
    same([[$L -e 'x = 10' $S 5]], "print(x, ...) return 7")
    same [[$L -l nosuch=string -e 'print(nosuch == string)']]
    same [[$L -W -e 'warn("@unknown", "x") warn "@off" warn "no" warn("@", "on") warn "@on" warn("a", "b")']]
    same [[$L -e 'local x <const> = 1; x = 2' -e 'print(1)']]
    same [[$L -e '(' -e 'print(1)']]
    same([[LUA_PATH="${S%/*}/?" $L -l ${S##*/} -l m=${S##*/} -e "print(m == ${S##*/}, m.x)"]],
      "print(select('#', ...), select(2, ...)) return { x = 5 }")
  end)

  it("reads scripts", function()
    same("$L $S", "#!/usr/bin/env lua\nprint(debug.getinfo(1, 'l').currentline)")
    same("$L $S", "#comment only")
    same("$L $S", "")
    same("$L - a < $S", "print(...) print(debug.getinfo(1, 'S').short_src, debug.getinfo(1, 'S').source)")
    same("$L < $S", "print(... == nil, arg[0] ~= nil, #arg)")
    same("$L -", nil, "x = ")
    same("$L -- -", nil, "print 1")
    same("echo 'print(..., arg[-1], arg[0])' | $L - a b")
    same("$L $S", "# a first line\nerror 'in line 2'")
    same("$L $S", "#")
    same("$L $S", "-- \26\nprint 'after a Ctrl-Z'")
    same("$L - < $S", "print(io.read 'l')\nprint 'not a script line'")
    same("$L $S", "\xef\xbb\xbfprint 'after a byte order mark'")
    same([[$L -e 'io.open("'$S'.luac", "wb"):write(string.dump(function(...) print("binary", ...) end)):close()' &&
      $L $S.luac 1; rm -f $S.luac]])
    same "$L /nonexistent/file.lua"
    same "$L /"
  end)

  it("exits with the code asked for", function()
    for _, code in ipairs { "os.exit()", "os.exit(true)", "os.exit(false)", "os.exit(7)", "os.exit(3, true)",
                            "error()", "error 'x'", "error(nil)", "error({})", "return 5", "x = ", "os.exit(-1)",
                            "error(setmetatable({}, {__tostring = function() return 'mine' end}))",
                            "error(setmetatable({}, {__tostring = function() return 1 end}))",
                            "error(12)", "error(print)", "coroutine.wrap(function() error 'in' end)()" } do
      same(("$L -e \"%s\""):format(code))
      same("$L $S", code)
    end
  end)

  it("closes its state, and runs what is to be closed", function()
    same("$L $S", "setmetatable({}, {__gc = function() print 'gc' end}) error 'x'")
    same("$L $S", "local x <close> = setmetatable({}, {__close = function(_, e) print('close', e) end}) error('x', 0)")
    same("$L $S", [[local x <close> = setmetatable({}, {__close = function() print 'close' end})
      os.exit(true, true)]])
    same("$L $S", "local x <close> = setmetatable({}, {__close = function() print 'close' end}) os.exit()")
    same("$L -W $S", "setmetatable({}, {__gc = function() error 'in gc' end})")
    same("$L $S", [[local x <close> = setmetatable({}, {__close = function() error("in close", 0) end}) error "body"]])
    same("$L $S", [[local c = coroutine.wrap(function() local y <close> = setmetatable({}, {__close = function()
      print "never" end}) coroutine.yield() end) c()]])
    same("$L $S", [[local co = coroutine.create(function() os.exit(4, true) end) coroutine.resume(co)]])
    same("$L $S", [[local x <close> = setmetatable({}, {__close = function() os.exit(6) end}) error "y"]])
  end)

  it("heeds LUA_INIT and LUA_PATH, and not with -E", function()
    same [[LUA_INIT='print "init"' $L -e 'print "main"']]
    same [[LUA_INIT='print "init"' LUA_INIT_5_4='print "5.4"' $L -e 'print "main"']]
    same [[LUA_INIT_5_4='print(arg[1])' $L $S a]]
    same [[LUA_INIT_5_4='error "x"' $L -e 'print "main"']]
    same [[LUA_INIT='x =' $L -e 'print "main"' 2>&1 | sed 's/^[a-z0-9.]*: //']]
    same([[LUA_INIT=@$S $L -e 'print "main"']], "print 'file'")
    same [[LUA_INIT=@/nonexistent $L -e 'print "main"']]
    same [[LUA_INIT='print "init"' LUA_INIT_5_4='print "5.4"' $L -E -e 'print "main"']]
    for _, variable in ipairs { "LUA_PATH", "LUA_PATH_5_4", "LUA_CPATH", "LUA_CPATH_5_4" } do
      for _, options in ipairs { "-e", "-E -e" } do
        same(("%s='/x/?.lua;;' $L %s 'print(package.path, package.cpath)'"):format(variable, options))
      end
    end
  end)

  it("starts in the same state", function()
    local names = "local t = {} for k in pairs(%s) do t[#t + 1] = k end table.sort(t) print(table.concat(t, ' '))"
    same("$L $S", names:format "_G")
    same("$L $S", names:format "package.loaded")
    same [[$L -e 'print(collectgarbage "incremental")']]
    same [[$L -e 'print(coroutine.isyieldable(), coroutine.running() ~= nil, debug.gethook())']]
  end)

  it("refuses what lua refuses, with 2 instead of 1", function()
    for _, words in ipairs { "-e", "-l", "-x", "-vi", "-ii", "-Wx", "--x", "-e -v", "-l -v", "-Ex", "--- x" } do
      local ours, theirs = both("$L " .. words)
      assert.same({ 2, 1, "", "" }, { ours.code, theirs.code, ours.out, theirs.out }, words)
      assert.truthy(ours.err:find("^[^\n]*option '%-", 1), ours.err)
    end
  end)

  it("loads Debian's C modules", function()
    same [[$L -l lfs -e 'print(lfs.attributes("/", "mode"), lfs._VERSION)']]
    same [[$L -l cjson -e 'print(cjson.encode {1, 2.5, "x"}, cjson.decode("[1,{\"a\":null}]")[2].a == cjson.null)']]
    for module, code in pairs { lpeg = 'print(lpeg.match(lpeg.C(lpeg.R "az" ^ 1), "abc1"), lpeg.version)',
                                luv = 'luv.new_timer():start(1, 0, function() print "timer" luv.stop() end) luv.run()',
                                socket = 'print(socket._VERSION, socket.gettime() > 0)' } do
      if os.execute(("lua5.4 -l %s -e '' 2>/dev/null"):format(module)) then
        assert.equal(0, same(("$L -l %s -e '%s'"):format(module, code)).code)
      end
    end
  end)

  it("goes on at the prompt in the same way", function()
    -- lua5.4 echoes its input when it has readline: its output's last lines are what counts.
    for _, text in ipairs { "a = 1\nprint(a)\n", "print(\n1,\n2)\n", "function f()\nreturn 5 end\nprint(f())\n",
                            "x = [[\n1\n]]\nprint(x)\n", "1;;\n;print(2)\n", "=4\n", "return 3\n",
                            "a = 10\n=a+\n1\n", "goto a; ::a:: print 'x'\n", "return\n=7\n", "= 1, nil, 3\n" } do
      local ours = tool.shell("$M -i", nil, text)
      local theirs = tool.shell("lua5.4 -e '_PROMPT, _PROMPT2 = \"\", \"\"' -i", nil, text)
      assert.equal(0, ours.code)
      assert.truthy(#ours.out > 0)
      assert.equal(ours.out, theirs.out:gsub("\n$", ""):sub(-#ours.out), text)
    end
  end)
end)
