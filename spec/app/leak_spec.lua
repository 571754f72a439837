-- What a closed host leaves behind, as valgrind sees it, and children under valgrind.
local tool = require "mphost.tool"

local function impossible()
  if (os.getenv "MPHOST_SANITIZE" or "") ~= "" then return "not under sanitizers" end
  return tool.shell("command -v valgrind").code ~= 0 and "valgrind is not installed"
end

describe("under valgrind", function()
  before_each(function() require("support.helper").deadline(200) end)

  it("closed hosts have left no memory behind", function()
    if impossible() then return pending(impossible()) end
    local r = tool.shell(("MPHOST_CYCLES=10 valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect "
      .. "--error-exitcode=9 -q %s/spec/app_cycle_soak_spec_c"):format(os.getenv "MPHOST_BUILD" or "build"))
    assert.equal(0, r.code, r.out .. r.err)
  end)

  it("children end, though each looks through all that is mapped", function()
    if impossible() then return pending(impossible()) end
    local r = tool.shell [[timeout 60 valgrind -q $M -e 'local mp = require "mphost"
      print(#mp.map(function(x) return x end, {1, 2}))' 2>/dev/null]]
    assert.same({ 0, "2\n" }, { r.code, r.out })
  end)
end)
