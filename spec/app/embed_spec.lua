-- What `cmake --install` and `cpack` leave: the four hosts of scripts/embed/ are built against it and run, as they are
-- against the build folder; shared and static, by pkg-config and by CMake.
local lfs = require "lfs"
local tool = require "mphost.tool"
local helper = require "support.helper"

local BUILD = os.getenv "MPHOST_BUILD" or "build"
local SANITIZE = os.getenv "MPHOST_SANITIZE" or ""
local FLAGS = "-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -pthread"
  .. (SANITIZE ~= "" and " -fsanitize=" .. SANITIZE or "")
local DIR

local OUTPUT = {
  pool = "primes below 999: 168\nmultiples of 7: 143\n",
  guest = "guest1 guest2 guest3\n",
  loop = "sum 30, the loop went on\n",
  threads = "80 workers, last result 49000\n",
}

local function sh(command, ...)
  local r = tool.shell(command:format(...))
  assert.equal(0, r.code, command:format(...) .. "\n" .. r.out .. r.err)
  return r.out
end

local function compile(name, flags, language)
  sh("%s %s -o %s/%s scripts/embed/%s.c %s", language or "gcc", FLAGS, DIR, name, name, flags)
end

local function check_all(flags, libs)
  for name, output in pairs(OUTPUT) do
    compile(name, flags)
    local r = tool.shell(("LD_LIBRARY_PATH=%s %s/%s"):format(libs or "", DIR, name))
    assert.same({ code = 0, out = output, err = "" }, r, name)
  end
end

local function in_prefix(prefix)
  return ("PKG_CONFIG_PATH=%s/lib/pkgconfig pkg-config"):format(prefix)
end

local CMAKE = [[
cmake_minimum_required(VERSION 3.22)
project(user LANGUAGES C)
find_package(mphost 0.1 REQUIRED)
set(CMAKE_C_FLAGS "%s")
foreach(name pool guest loop threads)
  add_executable(${name} %s/scripts/embed/${name}.c)
  target_link_libraries(${name} PRIVATE mphost::%s)
endforeach()
]]

local function check_cmake(prefix, target)
  local dir = DIR .. "/user-" .. target
  assert(lfs.mkdir(dir))
  local file <close> = assert(io.open(dir .. "/CMakeLists.txt", "w"))
  file:write(CMAKE:format(FLAGS, lfs.currentdir(), target))
  file:close()
  sh("cmake -S %s -B %s/build -DCMAKE_PREFIX_PATH=%s && cmake --build %s/build", dir, dir, prefix, dir)
  for name, output in pairs(OUTPUT) do
    assert.same({ code = 0, out = output, err = "" }, tool.shell(dir .. "/build/" .. name), name)
  end
end

describe("embedding", function()
  setup(function()
    helper.deadline(120)
    DIR = os.tmpname()
    os.remove(DIR)
    assert(lfs.mkdir(DIR))
    sh("cmake --install %s --prefix %s/prefix", BUILD, DIR)
  end)

  teardown(function() os.execute("rm -rf " .. DIR) end)

  before_each(function() helper.deadline(120) end)

  it("has example hosts of at most 60 lines, named in the README", function()
    local readme = tool.read "README.md"
    for name in pairs(OUTPUT) do
      local lines = 0
      for _ in io.lines(("scripts/embed/%s.c"):format(name)) do lines = lines + 1 end
      assert.is_true(lines <= 60, name)
      assert.truthy(readme:find(("`%s.c`"):format(name), 1, true), name)
    end
  end)

  it("works against the build folder, shared", function()
    local lua = sh("pkg-config --cflags --libs lua5.4"):gsub("\n", " ")
    check_all(("-Ihost -L%s -lmphost %s"):format(BUILD, lua), BUILD)
  end)

  it("works against the build folder, static", function()
    check_all(("-Ihost %s/libmphost.a $(pkg-config --cflags --libs lua5.4) -lm"):format(BUILD))
  end)

  it("works against an installed prefix by pkg-config, shared", function()
    local prefix = DIR .. "/prefix"
    check_all(("$(%s --cflags --libs mphost lua5.4)"):format(in_prefix(prefix)), prefix .. "/lib")
  end)

  it("works against an installed prefix by pkg-config, static", function()
    local prefix = DIR .. "/prefix"
    check_all(("$(%s --cflags mphost) %s/lib/libmphost.a $(pkg-config --static --libs lua5.4)"):format(
      in_prefix(prefix), prefix))
  end)

  it("works against an installed prefix by CMake, shared and static", function()
    helper.deadline(300)
    check_cmake(DIR .. "/prefix", "mphost")
    check_cmake(DIR .. "/prefix", "static")
  end)

  it("brings the program and the module", function()
    local prefix = DIR .. "/prefix"
    assert.equal("1 4 9 16\n", sh("%s/bin/mphost scripts/squares.lua", prefix))
    if SANITIZE == "" then
      assert.equal("1 4 9 16\n", sh("LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 scripts/squares.lua", prefix))
      -- and finds the program from where it lies
      assert.equal(prefix .. "/bin/mphost\n", sh("LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 -e '%s'", prefix,
        [[require "mphost" print(require "mphost.core".helper())]]))
      assert.equal("7\n", sh("LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 -e '%s'", prefix,
        [[local mp = require "mphost" mp.start_method "spawn" print(mp.spawn(function() return 7 end):result())]]))
    end
  end)

  it("makes a Debian package that is whole", function()
    helper.deadline(300)
    sh("cd %s && cpack -G DEB -B %s/deb", BUILD, DIR)
    local deb = sh("ls %s/deb/*.deb", DIR):gsub("\n", "")
    assert.equal("mphost\n", sh("dpkg-deb -f %s Package", deb))
    sh("dpkg-deb -x %s %s/root", deb, DIR)
    local usr = DIR .. "/root/usr"
    assert.equal("1 4 9 16\n", sh("%s/bin/mphost scripts/squares.lua", usr))
    check_all(("$(%s --cflags --libs mphost lua5.4)"):format(in_prefix(usr)), usr .. "/lib")
    check_all(("$(%s --cflags mphost) %s/lib/libmphost.a $(pkg-config --static --libs lua5.4)"):format(
      in_prefix(usr), usr))
    if SANITIZE == "" then
      assert.equal("1 4 9 16\n", sh("LUA_CPATH='%s/lib/lua/5.4/?.so' lua5.4 scripts/squares.lua", usr))
    end
    assert.truthy(lfs.attributes(usr .. "/lib/cmake/mphost/mphost-config.cmake"))
  end)

  it("has a header that C++ and strict C compile", function()
    local path = DIR .. "/header.c"
    sh("printf '#include <mphost.h>\\nint main(void) { return mph_str(\"x\").size != 1; }\\n' > %s", path)
    sh("gcc -std=c99 -pedantic -Wall -Wextra -Werror -Ihost -fsyntax-only %s", path)
    if tool.shell("command -v g++").code == 0 then
      sh("g++ -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -Ihost -fsyntax-only %s", path)
    end
    sh("clang -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -Ihost -fsyntax-only %s", path)
  end)
end)

-- What a program may link to: the names that the header marks, no others.
describe("exported symbols", function()
  local function header_names()
    local names = {}
    for line in io.lines "host/mphost.h" do
      local name = line:find("^MPH_API ") and line:match("([%w_]+)%(")
      if name then names[#names + 1] = name end
    end
    table.sort(names)
    return table.concat(names, "\n") .. "\n"
  end

  local IGNORE = "grep -vE '^(__?asan|__?ubsan|__odr_asan|__sanitizer)'"

  it("are the header's in the shared library, which has a SONAME", function()
    assert.equal(header_names(), sh(
      "nm -D --defined-only %s/libmphost.so | awk '{print $3}' | %s | LC_ALL=C sort", BUILD, IGNORE))
    assert.truthy(sh("objdump -p %s/libmphost.so", BUILD):find("SONAME%s+libmphost%.so%.%d+"))
  end)

  it("are the header's in the static library and the module", function()
    assert.equal(header_names(), sh(
      "nm -g --defined-only %s/libmphost.a | awk 'NF == 3 {print $3}' | %s | LC_ALL=C sort", BUILD, IGNORE))
    assert.equal(header_names(), sh("nm -D --defined-only %s/mphost.so | awk '{print $3}' | %s | LC_ALL=C sort", BUILD,
      IGNORE))
  end)
end)
