-- The rockspec: complete, and what its builtin backend would build works in a stock lua5.4.
local lfs = require "lfs"
local tool = require "mphost.tool"

local PATH = "host/mphost-0.1.0-1.rockspec"

local function rockspec()
  local env = {}
  assert(loadfile(PATH, "t", env))()
  return env
end

local function files(folder, pattern, found)
  found = found or {}
  for name in lfs.dir(folder) do
    local path = folder .. "/" .. name
    if name:find(pattern) and not name:find("%.d%.lua$") then found[#found + 1] = path end
  end
  table.sort(found)
  return found
end

describe("the rockspec", function()
  it("names every source of the module", function()
    local modules, listed, sources = rockspec().build.modules, {}, {}
    for module, file in pairs(modules) do
      if module ~= "mphost.core" then
        listed[#listed + 1] = file
        local name = file:gsub("^lua/", ""):gsub("/init%.lua$", ""):gsub("%.lua$", ""):gsub("/", ".")
        assert.equal(name, module)
      end
    end
    table.sort(listed)
    assert.same(files("lua/mphost", "%.lua$"), listed)
    for _, room in ipairs { "bind", "codec", "os", "shm" } do files("host/" .. room, "%.c$", sources) end
    table.sort(sources)
    local core = modules["mphost.core"].sources
    table.sort(core)
    assert.same(sources, core)
  end)

  it("has the header's version", function()
    local version = rockspec().version:match("^(.*)%-1$")
    assert.truthy(tool.read("host/mphost.h"):find(('#define MPHOST_VERSION "%s"'):format(version), 1, true))
  end)

  it("builds a module that works in lua5.4", function()
    require("support.helper").deadline(120)
    if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return pending "once is enough" end
    local core = rockspec().build.modules["mphost.core"]
    local dir = os.tmpname()
    os.remove(dir)
    assert(lfs.mkdir(dir))
    assert(lfs.mkdir(dir .. "/mphost"))
    local gcc = "gcc -O1 -fPIC -shared -o %s/mphost/core.so -D%s -I%s $(pkg-config --cflags lua5.4) %s -l%s"
    local built = tool.shell(gcc:format(dir, table.concat(core.defines, " -D"), table.concat(core.incdirs, " -I"),
      table.concat(core.sources, " "), table.concat(core.libraries, " -l")))
    assert.same({ code = 0, out = "", err = "" }, built)
    local paths = ("LUA_CPATH='%s/?.so' LUA_PATH='lua/?.lua;lua/?/init.lua' lua5.4 "):format(dir)
    local out = tool.shell(paths .. "scripts/squares.lua")
    local child = tool.shell(paths .. "$S", [[local mp = require "mphost"
      local p = mp.spawn(function() os.exit(3, true) end) p:join() print(p.exitcode)]])
    tool.shell("rm -r " .. dir)
    assert.same({ code = 0, out = "1 4 9 16\n", err = "" }, out)
    assert.same({ code = 0, out = "3\n", err = "" }, child)
  end)
end)
