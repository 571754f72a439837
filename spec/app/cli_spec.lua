-- The program as users call it: its options, exit codes, and what goes to which stream.
local tool = require "mphost.tool"

local HAS_ASAN = (os.getenv "MPHOST_SANITIZE" or "") ~= ""

-- Runs a shell command line in which $M is the program; {code, out, err}, code -N for signal N.
local function shell(command, stdin)
  return tool.shell(command, nil, stdin)
end

describe("mphost, the program", function()
  it("runs a script with its arguments laid out as lua does", function()
    local text = 'print(arg[0] == os.getenv "S", arg[1], arg[2], arg[3], #arg, arg[-1], arg[-2], ...)'
    local r = tool.shell("export S; $M -W $S a 'b c'", text)
    assert.same({ code = 0, err = "", out = ("true\ta\tb c\tnil\t2\t-W\t%s\ta\tb c\n"):format(tool.BIN) }, r)
  end)

  it("runs -e and -l in their order", function()
    local r = shell [[$M -e 'x = 1' -l s=string -e 'print(x, s.rep("a", 2), string == s)']]
    assert.same({ code = 0, out = "1\taa\ttrue\n", err = "" }, r)
    assert.equal("7\n", shell("$M -e'print(7)'").out)
  end)

  it("loads Debian's C modules for Lua 5.4", function()
    assert.equal("function\n", shell("$M -l lfs -e 'print(type(lfs.dir))'").out)
  end)

  it("reads the script from standard input", function()
    assert.equal("1\tnil\t0\n", shell("$M", "print(1, ..., #arg)").out)
    assert.equal("1\ta\n", shell("$M - a", "print(1, ...)").out)
  end)

  it("ends the options at --", function()
    local r = tool.shell("$M -- $S -x", "print(...)")
    assert.same({ code = 0, out = "-x\n", err = "" }, r)
  end)

  it("says its version and its options", function()
    for _, option in ipairs { "-v", "--version" } do
      local r = shell("$M " .. option)
      assert.equal(0, r.code)
      assert.truthy(r.out:find("^mphost %d+%.%d+%.%d+ %(Lua 5%.4%.%d+%)\n$"), r.out)
    end
    for _, option in ipairs { "-h", "--help" } do
      assert.truthy(shell("$M " .. option).out:find("usage: mphost [options] [script [args]]", 1, true))
    end
  end)

  it("hands the code of os.exit on", function()
    assert.equal(0, shell("$M -e 'os.exit()'").code)
    assert.equal(7, shell("$M -e 'os.exit(7)'").code)
    assert.equal(1, shell("$M -e 'os.exit(false, true)'").code)
  end)

  it("shows an uncaught error with its traceback and exits with 1", function()
    local r = shell([[$M -e 'print "before" error "boom"']])
    assert.same({ 1, "before\n" }, { r.code, r.out })
    assert.truthy(r.err:find("^mphost: %(command line%):1: boom\nstack traceback:\n"), r.err)
    assert.falsy(r.err:find("[C]: in ?", 1, true))
  end)

  it("lets an error object speak for itself", function()
    local r = shell [[$M -e 'error(setmetatable({}, {__tostring = function() return "own" end}))']]
    assert.same({ code = 1, out = "", err = "mphost: own\n" }, r)
    r = shell "$M -e 'error({})'"
    assert.truthy(r.err:find("^mphost: %(error object is a table value%)\n"), r.err)
  end)

  it("exits with 1 when the script cannot be read or does not compile", function()
    local r = shell "$M /nonexistent.lua"
    assert.same({ code = 1, out = "", err = "mphost: cannot open /nonexistent.lua\n" },
      { code = r.code, out = r.out, err = r.err:gsub(": No such.*", "\n") })
    assert.equal("mphost: (command line):1: unexpected symbol near <eof>\n", shell("$M -e 'x ='").err)
  end)

  it("closes what is open at the end, also after an error", function()
    local code = [[setmetatable({}, {__gc = function() print "gc" end})]]
    assert.equal("gc\n", shell(("$M -e '%s'"):format(code)).out)
    assert.equal("gc\n", shell(("$M -e '%s error()'"):format(code)).out)
  end)

  it("refuses an unknown option with exit code 2 and names the nearest", function()
    for wrong, near in pairs { ["--jbos"] = "--jobs", ["--logs"] = "--log", ["--sede=3"] = "--seed",
                               ["--versoin"] = "--version", ["-ii"] = "-i", ["--progess"] = "--progress",
                               ["--seer"] = "--seed", ["-x"] = "-e" } do
      local r = shell("$M " .. wrong)
      assert.same({ 2, "" }, { r.code, r.out })
      assert.truthy(r.err:find("^mphost: unknown option '%-"), r.err)
      assert.truthy(r.err:find(("did you mean '%s'"):format(near), 1, true), r.err)
    end
  end)

  it("refuses a missing or wrong value with exit code 2", function()
    for _, words in ipairs { "-j", "-e", "--seed", "-j 0", "-j x", "-j 99999999999", "--jobs=", "--seed 1.5",
      "--log all" } do
      local r = shell("$M " .. words)
      assert.same({ 2, "" }, { r.code, r.out }, words)
      assert.truthy(r.err:find("^mphost: option '%-[^\n]+\n$"), r.err)
    end
  end)

  it("takes as many jobs as a pool may have workers, and no more", function()
    local most = tonumber(shell("$M -j 99999999999").err:match "at most (%d+)")
    local function refused(n)
      return shell(([[$M -e 'print(pcall(require("mphost.core").pool, %d))']]):format(n)).out:find "too many" ~= nil
    end
    local r = shell(("$M -j %d -e 'print(1)'; $M -j %d"):format(most, most + 1))
    assert.same({ 2, "1\n" }, { r.code, r.out })
    assert.same({ false, true }, { refused(most), refused(most + 1) })
  end)

  it("hands -j, --seed and --log on as variables, which -E hides otherwise", function()
    local show = [[-e 'print(os.getenv "MPHOST_JOBS", os.getenv "MPHOST_SEED", os.getenv "MPHOST_LOG")']]
    assert.equal("3\t-5\twarn\n", shell("$M -j3 --seed -5 --log=warn " .. show).out)
    assert.equal("2\tnil\tnil\n", shell("MPHOST_JOBS=4 $M --jobs 2 " .. show).out)
    assert.equal("nil\t1\tnil\n", shell("MPHOST_JOBS=4 $M -E --seed=1 " .. show).out)
    local progress = [[-e 'print(os.getenv "MPHOST_PROGRESS")']]
    assert.equal("1\n", shell("$M --progress " .. progress).out)
    assert.equal("nil\n", shell("MPHOST_PROGRESS=1 $M -E " .. progress).out)
  end)

  it("seeds all random numbers with --seed or MPHOST_SEED", function()
    local show = [[-e 'print(math.random(1 << 40))']]
    local seven = shell("$M --seed 7 " .. show).out
    assert.equal(seven, shell("MPHOST_SEED=7 $M " .. show).out)
    assert.not_equal(seven, shell("MPHOST_SEED=7 $M --seed 8 " .. show).out)
    assert.not_equal(seven, shell("MPHOST_SEED=7 $M -E " .. show).out)
  end)

  it("refuses a wrong variable as it refuses the option, unless the option or -E comes before it", function()
    for variable, what in pairs { ["MPHOST_JOBS=x"] = "a number from 1 on, not 'x'",
                                  ["MPHOST_JOBS=0"] = "a number from 1 on, not '0'",
                                  ["MPHOST_JOBS=1.5"] = "a number from 1 on, not '1.5'",
                                  ["MPHOST_PROGRESS=7"] = "1 or nothing, not '7'",
                                  ["MPHOST_SEED=7up"] = "an integer, not '7up'",
                                  ["MPHOST_LOG=all"] = "debug, info, warn or error, not 'all'" } do
      local name = variable:match "^[^=]+"
      local r = shell(variable .. " $M -e 'print(1)'")
      assert.same({ 2, "", ("mphost: variable '%s' wants %s\n"):format(name, what) }, { r.code, r.out, r.err })
      assert.same({ code = 0, out = "1\n", err = "" }, shell(variable .. " $M -e 'print(1)' -E"))
      assert.same({ code = 0, out = "1\n", err = "" },
        shell(variable .. " $M -j 2 --seed 3 --log warn --progress -e 'print(1)'"))
      assert.same({ code = 0, out = "1\n", err = "" }, shell(name .. "= $M -l mphost -e 'print(1)'"))
    end
  end)

  it("runs LUA_INIT first, and its versioned form rather", function()
    assert.equal("init\nmain\n",
      shell([[unset LUA_INIT_5_4; LUA_INIT='print "init"' $M -e 'print "main"']]).out)
    assert.equal("5.4\nmain\n",
      shell([[LUA_INIT_5_4='print "5.4"' LUA_INIT='print "init"' $M -e 'print "main"']]).out)
    assert.equal("main\n", shell([[LUA_INIT_5_4='print "5.4"' $M -E -e 'print "main"']]).out)
    local r = shell([[LUA_INIT_5_4='error "x"' $M -e 'print "main"']])
    assert.same({ 1, "" }, { r.code, r.out })
    r = tool.shell("LUA_INIT_5_4=@$S $M -e ''", "print 'file'")
    assert.equal("file\n", r.out)
  end)

  it("ignores LUA_PATH with -E", function()
    assert.equal("/x/?.lua\n", shell("LUA_PATH_5_4='/x/?.lua' $M -e 'print(package.path)'").out)
    assert.not_equal("/x/?.lua\n", shell("LUA_PATH_5_4='/x/?.lua' $M -E -e 'print(package.path)'").out)
  end)

  it("turns warnings on with -W", function()
    assert.equal("", shell("$M -e 'warn \"w\"'").err)
    assert.equal("Lua warning: w\n", shell("$M -W -e 'warn \"w\"'").err)
  end)

  it("dies of SIGINT really", function()
    local r = shell [[exec $M -e 'io.popen("kill -INT $PPID") while true do end']]
    assert.equal(-2, r.code)
  end)
end)

describe("mphost, the prompt", function()
  local function type_in(lines)
    return shell("$M -i", lines)
  end

  it("prints expressions, keeps globals, reads on over several lines", function()
    local r = type_in "1 + 1\nx = 5\nx, 'a'\nfor i = 1, 2 do\nprint(i)\nend\nmath.max(1,\n7)\n"
    assert.same({ 0, '2\n5\t"a"\n1\n2\n7\n' }, { r.code, r.out })
  end)

  it("shows errors on stderr and goes on", function()
    local r = type_in "error 'oops'\n)\nnil + 1\n3\n"
    assert.same({ 0, "3\n" }, { r.code, r.out })
    assert.truthy(r.err:find("stdin:1: oops\nstack traceback:", 1, true), r.err)
    assert.truthy(r.err:find("unexpected symbol near ')'", 1, true), r.err)
  end)

  it("has the library as mp", function()
    assert.equal('"table"\n', type_in("type(mp)\n").out)
  end)

  it("comes after the script with -i", function()
    local r = tool.shell("$M -i $S", "y = 4", "y\n")
    assert.equal("4\n", r.out)
  end)
end)

describe("require 'mphost' in a stock lua5.4", function()
  local build = os.getenv "MPHOST_BUILD" or "build"
  local lua = ("LUA_CPATH_5_4='%s/?.so;;' LUA_PATH_5_4=';;' lua5.4 -e "):format(build)

  it("finds the module", function()
    if HAS_ASAN then return pending "lua5.4 itself is not instrumented" end
    local r = shell(lua .. [['print(type(require "mphost"), require "mphost" == package.loaded.mphost)']])
    assert.same({ code = 0, out = "table\ttrue\n", err = "" }, r)
  end)

  it("leaves descriptor 0 alone in children where it was started without a stdin", function()
    if HAS_ASAN then return pending "lua5.4 itself is not instrumented" end
    local r = shell(lua .. [['
      local mp = require "mphost"
      local path = os.tmpname()
      local f = io.open(path, "w")
      mp.spawn(function() f:write("child") f:flush() end):join()
      print(io.open(path):read "a")
      os.remove(path)' <&-]])
    assert.same({ code = 0, out = "child\n", err = "" }, r)
  end)
end)
